"""Run by the engine's own Python: whether vLLM would take these arguments, without starting it.

Reads `{"arguments": [...], "running": [...]}` from its standard input, each what follows `vllm
serve`. Its last line is `ANSWER` and a JSON object: `same` tells whether vLLM makes of both the
same configuration, `idle_quantisation` the name of a quantisation that has no layer to work on.
Either is null where this vLLM does not tell.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sys
from typing import Any

ANSWER = "trimtab: "
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_RANDOM = ("instance_id",)


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What vLLM makes of a command line: for its API server, and for the engine (VllmConfig)."""

    server: dict[str, str]
    engine: Any

    def is_like(self, other: Configuration) -> bool:
        """By what each part tells of itself; what tells nothing counts by its type."""
        return self.server == other.server and self._parts() == other._parts()

    def _parts(self) -> dict[str, str]:
        return {
            field.name: _ADDRESS.sub("", repr(getattr(self.engine, field.name)))
            for field in dataclasses.fields(self.engine)
            if field.name not in _RANDOM
        }

    def idle_quantisation(self) -> str | None:
        """A quantisation of experts only, for a model that has none."""
        model = self.engine.model_config
        try:
            chosen = model.quantization_config
            if chosen is None or chosen.moe is None or chosen.linear or chosen.targets:
                return None
            return None if model.is_moe else str(model.quantization)
        except AttributeError:  # a vLLM that tells less
            return None


def main() -> None:
    """Parse and make vLLM's whole configuration; its own error ends the process."""
    asked = json.load(sys.stdin)
    new = _configuration(asked["arguments"])
    same = None
    # Whatever is wrong with the running engine's command, argparse's end too, is no matter here.
    with contextlib.suppress(Exception, SystemExit):
        same = new.is_like(_configuration(asked["running"]))
    answer = {"same": same, "idle_quantisation": new.idle_quantisation()}
    sys.stdout.write(f"\n{ANSWER}{json.dumps(answer)}\n")


def _configuration(arguments: list[str]) -> Configuration:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    try:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    except ImportError:  # before 0.32
        from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args

    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    parsed = parser.parse_args(arguments)
    if getattr(parsed, "model_tag", None):
        parsed.model = parsed.model_tag
    validate_parsed_serve_args(parsed)
    engine = AsyncEngineArgs.from_cli_args(parsed)
    of_the_engine = {field.name for field in dataclasses.fields(engine)} | {"model_tag"}
    server = {key: repr(value) for key, value in vars(parsed).items() if key not in of_the_engine}
    return Configuration(server, engine.create_engine_config())


if __name__ == "__main__":
    main()
