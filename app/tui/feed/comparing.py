"""The baseline and the window that is compared with it, read from the ledger in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import NotAchieved
from store.tables.changes import SETTLE_MS

if TYPE_CHECKING:
    from app.tui.feed.frame import Frame
    from store.compare.comparison import Comparison
    from store.metrics.prices import PriceBook

SPAN_MS = 120_000
"""The window to mark or to compare, unless a change is nearer."""
LEAST_MS = 10_000


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison and what was compared."""

    baseline: str
    after: str
    comparison: Comparison


def recent_span(frame: Frame) -> tuple[int, int]:
    """(from_ms, to_ms) of the last two minutes of readings, but not from before the last change:
    a window that straddles a change stands for neither side.

    Raises NotAchieved where too little has been seen.
    """
    until_ms = frame.until_ms
    if until_ms is None or frame.engine is None:
        raise NotAchieved("Nothing has been recorded yet", remedy="Wait for the first figures")
    last_change = max((mark.ts_ms for mark in frame.marks), default=0)
    first_ms = 0 if frame.run is None or frame.run.first_ms is None else frame.run.first_ms
    from_ms = max(until_ms - SPAN_MS, last_change + SETTLE_MS, first_ms)
    if until_ms - from_ms < LEAST_MS:
        raise NotAchieved(
            "Too little has been seen since the last change",
            remedy=f"Wait {max(1, (LEAST_MS - (until_ms - from_ms)) // 1000)} s and ask again",
        )
    return from_ms, until_ms


def compare_now(db_path: Path, frame: Frame, prices: PriceBook) -> Compared:
    """The newest baseline of the frame's engine against its recent window."""
    from store.compare.comparison import Span, compare
    from store.ledger.connection import Ledger
    from store.tables import snapshots

    from_ms, to_ms = recent_span(frame)
    engine = frame.engine
    assert engine is not None  # recent_span has refused a frame without one
    ledger = Ledger.open(db_path, readonly=True)
    try:
        baseline = snapshots.newest_baseline(ledger, engine.id)
        if baseline is None:
            raise NotAchieved("There is no baseline yet", remedy="Press m to mark one first")
        before = Span(engine.id, baseline.from_ms, baseline.to_ms, baseline.name)
        after = Span(engine.id, from_ms, to_ms, "now")
        return Compared(
            baseline.name, _length(to_ms - from_ms), compare(ledger, before, after, prices)
        )
    finally:
        ledger.close()


def _length(span_ms: int) -> str:
    return f"the last {span_ms // 1000} s"
