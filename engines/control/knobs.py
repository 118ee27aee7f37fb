"""The knobs of an engine as a person turns them: reading `KNOB=VALUE`, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from engines.command_line.start_settings import START_SETTINGS
from engines.control.client import PluginClient
from engines.control.fanout import read_journal, set_knob
from store.errors import BadInput, NotAchieved
from store.knobs.bounds import bounds_with_unit, violation
from store.knobs.specs import KNOBS, KnobSpec
from store.records import KnobState, KnobValue, format_value

__all__ = [
    "check_value",
    "find_spec",
    "parse_assignment",
    "read_journal",
    "read_knobs",
    "set_knob",
]


_WORDS = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
_WHOLE = re.compile(r"[+-]?\d{1,18}")


def parse_assignment(text: str) -> tuple[str, KnobValue]:
    """Read `KNOB=VALUE`.

    Raises BadInput (with the list of knobs) and, for a setting that only a swap can change,
    NotAchieved.
    """
    name, equals, word = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_").lower()
    if not equals:
        raise BadInput(f"`{text}` sets nothing", "", f"write KNOB=VALUE; {_listing()}")
    spec = find_spec(name)
    return name, _parse_value(spec, word.strip().lower())


def find_spec(name: str) -> KnobSpec:
    """The knob of this name. Raises BadInput, or NotAchieved where only a swap can change it."""
    if name in KNOBS:
        return KNOBS[name]
    if name in START_SETTINGS:
        raise _needs_swap(name, "vLLM reads it only when it starts")
    raise BadInput(f"there is no knob `{name}`", "", _listing())


def check_value(states: Iterable[KnobState], name: str, value: KnobValue) -> None:
    """Raise BadInput where the engine does not allow `value`, NotAchieved where it needs a swap."""
    state = next((state for state in states if state.name == name), None)
    if state is None or state.kind != "live":
        raise _needs_swap(name, state.reason if state else "this engine does not offer it")
    if isinstance(value, bool) or not violation(state, value):
        return
    above_maximum = state.maximum is not None and value > state.maximum
    raise BadInput(
        f"{name}={value} is out of bounds",
        f"it takes {bounds_with_unit(state)}",
        "a swap to a variant with a higher limit could raise it" if above_maximum else "",
    )


def read_knobs(sockets: Sequence[Path]) -> list[KnobState]:
    """The knobs of an engine, over all of its EngineCores. Raises ControlLost, ControlRefused.

    Where EngineCores differ, the value is the first one's and the reason says so.
    """
    by_engine = [PluginClient(path).knobs() for path in sockets]
    if not by_engine:
        return []
    return [
        _merge_states([state for states in by_engine for state in states if state.name == name])
        for name in [state.name for state in by_engine[0]]
    ]


def _merge_states(states: Sequence[KnobState]) -> KnobState:
    """One knob over its EngineCores: live where all are, within the bounds that all allow."""
    first = states[0]
    values = [format_value(state.value) for state in states]
    reasons = dict.fromkeys(state.reason for state in states if state.reason)
    if len(set(values)) > 1:
        reasons = {f"engines differ: {', '.join(values)}": None, **reasons}
    return replace(
        first,
        kind="live" if all(state.kind == "live" for state in states) else "swap",
        minimum=max((state.minimum for state in states if state.minimum is not None), default=None),
        maximum=min((state.maximum for state in states if state.maximum is not None), default=None),
        reason="; ".join(reasons),
    )


def _parse_value(spec: KnobSpec, word: str) -> KnobValue:
    if spec.type == "switch":
        if word not in _WORDS:
            raise BadInput(f"{spec.name} takes on or off, not `{word}`")
        return _WORDS[word]
    if not _WHOLE.fullmatch(word):
        raise BadInput(f"{spec.name} takes a whole number, not `{word}`")
    return int(word)


def _needs_swap(name: str, reason: str) -> NotAchieved:
    return NotAchieved(
        f"{name} needs a swap", reason, "trimtab serve starts an engine with another"
    )


def _listing() -> str:
    return f"knobs are {', '.join(KNOBS)}"
