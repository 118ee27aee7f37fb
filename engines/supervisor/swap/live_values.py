"""The live values of one engine, given to the one that follows it, leases included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from engines.control.knobs import set_knob
from store.errors import TrimtabError
from store.records import KnobState, KnobValue, format_value

_LEAST_LEASE_S = 0.1


def carry_over(
    knobs: Iterable[KnobState], sockets: Sequence[Path], who: str, say: Callable[[str], None]
) -> None:
    """Set the knobs of the engine at `sockets` as these stand; what it does not take is said."""
    for knob in knobs:
        for value, lease_s in _in_force(knob):
            refusal = _refusal(sockets, knob.name, value, who, lease_s)
            if refusal:
                say(f"{knob.name} is not set to {format_value(value)}: {refusal}")
                break


def _in_force(knob: KnobState) -> list[tuple[KnobValue, float | None]]:
    """What makes another engine's knob stand as this one: the value below a lease, then the leased
    one for as long as it has left."""
    if knob.kind != "live":
        return []
    values: list[tuple[KnobValue | None, float | None]] = [(knob.value, None)]
    if knob.lease_left_s is not None:
        values = [(knob.lease_back_to, None), (knob.value, max(knob.lease_left_s, _LEAST_LEASE_S))]
    return [
        (value, lease_s)
        for value, lease_s in values
        if value is not None and (lease_s is not None or value != knob.start)
    ]


def _refusal(
    sockets: Sequence[Path], name: str, value: KnobValue, who: str, lease_s: float | None
) -> str:
    """Why an engine does not take a value; '' where it does."""
    try:
        change = set_knob(sockets, name, value, who=who, lease_s=lease_s)
    except TrimtabError as error:
        return error.what
    return "" if change.outcome == "applied" else f"{change.outcome}: {change.reason}"
