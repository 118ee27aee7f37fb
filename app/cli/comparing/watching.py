"""Watching a window grow beside a snapshot until the verdict is there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from app.acts.comparing import LONGEST_MS, since_last_change, span_of
from app.text.durations import format_duration
from app.text.outlook import outlook
from app.text.output import say
from store.clock import now_ms
from store.errors import NotAchieved
from store.tables.runs import latest_run

if TYPE_CHECKING:
    from store.compare.comparison import Comparison
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook
    from store.tables.snapshots import Snapshot

LOOK_EVERY_S = 1.0
TELL_EVERY_S = 10.0
SILENT_MS = 15_000
"""Without a reading for so long nobody records."""


def watch(
    ledger: Ledger, before: Snapshot, prices: PriceBook, seconds: float
) -> tuple[Snapshot, Comparison]:
    """The window since the last change and its comparison, at the first look that shows a
    difference, or after `seconds`. A change that is made meanwhile begins it anew.

    Raises NotAchieved where nobody records the engine.
    """
    from store.compare.watch import GrowingComparison

    growing = GrowingComparison(ledger, prices)
    earliest_ms = now_ms() - LONGEST_MS
    deadline = time.monotonic() + seconds
    next_line = time.monotonic() + TELL_EVERY_S
    while True:
        after = since_last_change(ledger, before, now_ms(), earliest_ms)
        _require_a_recorder(ledger, before.engine_id)
        comparison = growing.look(span_of(before), span_of(after))
        is_over = time.monotonic() >= deadline
        if comparison.verdict in ("better", "worse") or is_over:
            measured_ms = comparison.windows[1].to_ms
            return replace(after, to_ms=measured_ms or after.to_ms), comparison
        if time.monotonic() >= next_line:
            next_line += TELL_EVERY_S
            say(_line(comparison))
        time.sleep(LOOK_EVERY_S)


def _line(comparison: Comparison) -> str:
    measured = format_duration(round(comparison.windows[1].seconds))
    return "; ".join((f"{measured}: {comparison.verdict}", *outlook(comparison)))


def _require_a_recorder(ledger: Ledger, engine_id: int) -> None:
    run = latest_run(ledger, engine_id)
    last_ms = 0 if run is None or run.last_ms is None else run.last_ms
    if now_ms() - last_ms > SILENT_MS:
        raise NotAchieved(
            "Nobody records that engine",
            f"Its last reading is {format_duration((now_ms() - last_ms) / 1000)} old",
            "trimtab record --detach records in the background",
        )
