"""The one edge through which the screen acts. The command line wires it to `app.acts`."""

from __future__ import annotations

from typing import Protocol

from store.records import Change, KnobValue


class Actions(Protocol):
    """What the screen can ask for. Every call blocks (the screen makes it in a thread), and raises
    TrimtabError where the thing cannot even be asked; a refusal is an outcome of the change."""

    def set_knob(self, engine_url: str, knob: str, value: KnobValue) -> Change:
        """Change one knob live; the change is in the ledger when this returns."""
        ...

    def undo(self, engine_url: str) -> Change:
        """Take back the last change; NotAchieved where there is none."""
        ...

    def mark(self, engine_url: str, name: str, from_ms: int, to_ms: int) -> None:
        """Keep the window [from_ms, to_ms] as the snapshot `name`."""
        ...
