"""The one edge through which the screen acts. The command line wires it to `app.acts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from store.records import Change, KnobValue, RunRow

if TYPE_CHECKING:
    from app.offers.offer import Offers, Wanted


class Actions(Protocol):
    """What the screen can ask for. Every call blocks (the screen makes it in a thread), and raises
    TrimtabError where the thing cannot even be asked; a refusal is an outcome of the change."""

    def set_knob(self, shown: RunRow, knob: str, value: KnobValue) -> Change:
        """Change one knob of the engine that this run tells of, and of no other that may serve its
        address by now; the change is in the ledger when this returns."""
        ...

    def undo(self, shown: RunRow) -> Sequence[Change] | None:
        """Take back the last change of a knob of that engine, with those of the same command;
        NotAchieved where there is none, None where a swap is newer, which costs time to take back
        and is asked for by `swap`."""
        ...

    def mark(self, engine_url: str, name: str, from_ms: int, to_ms: int) -> None:
        """Keep the window [from_ms, to_ms] as the snapshot `name`."""
        ...

    def offers(self, engine_url: str) -> Offers:
        """What the engine could be swapped to, weighed now."""
        ...

    def swap(self, engine_url: str, wanted: Wanted) -> None:
        """Hand a swap to the engine's supervisor, which does the rest; returns at once."""
        ...

    def call_off(self, engine_url: str) -> None:
        """Let the swap that runs go back, where it has not taken over yet; returns at once."""
        ...
