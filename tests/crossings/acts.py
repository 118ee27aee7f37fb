"""What an operator does: each act says how it is prepared, begun, and what it may leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store.records import KnobValue
from tests.crossings.world import KNOB, World

START = 32
"""The stand-in's value from its start."""


@dataclass(frozen=True)
class Act:
    """`values` are those that the knob may have once all is over: either it was done or it was
    not, and nothing in between."""

    name: str
    begin: Callable[[World], object]
    values: tuple[KnobValue, ...]
    prepare: Callable[[World], object] = lambda _: None


def _set(*more: str) -> Callable[[World], object]:
    return lambda world: world.ask("set", f"{KNOB}=8", *more, "--engine", world.engine.url)


ACTS = (
    Act("set", _set(), (START, 8)),
    # It runs out within the cell: afterwards the start value is in force whatever happened.
    Act("lease", _set("--for", "1s"), (START,)),
    Act(
        "undo",
        lambda world: world.ask("undo", "--engine", world.engine.url),
        (START, 16),
        prepare=lambda world: world.do("set", f"{KNOB}=16", "--engine", world.engine.url),
    ),
    Act("record", lambda world: world.ask("record", world.engine.url, "--for", "2s"), (START,)),
)
