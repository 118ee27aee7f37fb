"""Run by the engine's own Python: whether vLLM would take these arguments, without starting it."""

import sys


def main() -> None:
    """Parse and make vLLM's whole configuration; its own error ends the process."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    try:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    except ImportError:  # before 0.32
        from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args

    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    parsed = parser.parse_args(sys.argv[1:])
    if getattr(parsed, "model_tag", None):
        parsed.model = parsed.model_tag
    validate_parsed_serve_args(parsed)
    AsyncEngineArgs.from_cli_args(parsed).create_engine_config()


if __name__ == "__main__":
    main()
