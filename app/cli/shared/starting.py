"""Telling how far a starting engine is, and how long it still takes as earlier starts tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.offers.expectation import left_text
from app.text.durations import format_duration
from app.text.output import say
from store.errors import TrimtabError
from store.tables.starts import StartRow, alike, command_key, time_left

if TYPE_CHECKING:
    from engines.serving.start_watch import Phase
    from engines.serving.started import Started

_AGAIN_S = 10.0


def phase_lines(started: Started, db: Path | None) -> Callable[[Phase], None]:
    """What to call with each phase of this start: one line when it changes, and every 10 s."""
    earlier = _earlier(started.name, db)
    last = [("", 0.0)]

    def report(phase: Phase) -> None:
        text, at = last[0]
        if phase.text != text or phase.elapsed_s - at >= _AGAIN_S:
            last[0] = (phase.text, phase.elapsed_s)
            left = ""
            if earlier and phase.index < phase.total:
                left = f", {left_text(time_left(earlier, phase.elapsed_s, phase.reached))}"
            say(f"{format_duration(round(phase.elapsed_s))}  {phase.text}{left}")

    return report


def _earlier(name: str, db: Path | None) -> Sequence[StartRow]:
    """The starts most like this one; none where the ledger does not tell."""
    from engines.command_line.arguments import read_arguments
    from engines.serving import registry
    from store.ledger.connection import Ledger

    serving = registry.find_serving(name)
    if serving is None or db is None:
        return ()
    arguments = serving.arguments[1:]  # after `serve`
    model = read_arguments(arguments).model or serving.model
    beside = len(registry.list_serving()) > 1
    try:
        with Ledger.open(db, readonly=True) as ledger:
            return alike(ledger, model, command_key(arguments), beside=beside)
    except TrimtabError:
        return ()
