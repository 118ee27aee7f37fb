"""How a vLLM process is made to load the part of trimtab that runs inside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

INSIDE = Path(__file__).resolve().parents[1] / "inside"
"""The directory for PYTHONPATH: the plugin and its entry point, and nothing else of trimtab."""

PLUGIN = "trimtab"
"""The plugin's name among `vllm.general_plugins`."""


def plugin_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to `environ` for a vLLM process with live knobs.

    PYTHONPATH keeps what it has behind the plugin's directory. VLLM_PLUGINS is an allow-list: where
    it is set, the plugin's name is appended; where it is not, vLLM loads every plugin it finds.
    """
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    other_paths = [path for path in paths if path != str(INSIDE)]
    added = {"PYTHONPATH": os.pathsep.join([str(INSIDE), *other_paths])}
    allow_list = environ.get("VLLM_PLUGINS")
    if allow_list is not None:
        names = [name for name in allow_list.split(",") if name]
        added["VLLM_PLUGINS"] = ",".join(names if PLUGIN in names else [*names, PLUGIN])
    return added


def assignments(environ: Mapping[str, str]) -> tuple[str, ...]:
    """`NAME=value` for each variable that gives an engine with this environment its live knobs."""
    return tuple(f"{name}={value}" for name, value in plugin_environment(environ).items())


LISTEN_FD = "TRIMTAB_LISTEN_FD"
HOLD = "TRIMTAB_HOLD"
"""The variables that tell an engine which descriptor it inherits to serve on, and to take nothing
from it at first."""


def front_environment(descriptor: int, *, held: bool) -> dict[str, str]:
    """The variables that make an API server take from an inherited listening socket, or hold."""
    return {LISTEN_FD: str(descriptor), HOLD: "1" if held else "0"}
