"""The sides of a comparison: snapshots, and what has been recorded since the last change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.acts.snapshots import configuration
from store.errors import BadInput, NotAchieved
from store.tables.changes import list_changes
from store.tables.snapshots import Snapshot, get, list_all

if TYPE_CHECKING:
    from store.compare.sides.blocks import Span
    from store.ledger.connection import Ledger

NOW = "now"
LONGEST_MS = 600_000
"""How far back what is compared with a snapshot reaches, if nothing was changed since."""


def named_snapshot(ledger: Ledger, name: str) -> Snapshot:
    """The snapshot of this name; raises BadInput, listing those there are."""
    snapshot = get(ledger, name)
    if snapshot is None:
        there = ", ".join(other.name for other in list_all(ledger)) or "none"
        raise BadInput(f"There is no snapshot {name!r}", f"There are: {there}")
    return snapshot


def span_of(snapshot: Snapshot) -> Span:
    """A snapshot's window, to be compared."""
    from store.compare.sides.blocks import Span

    return Span(snapshot.engine_id, snapshot.from_ms, snapshot.to_ms, snapshot.name)


def since_last_change(ledger: Ledger, before: Snapshot, now_ms: int, earliest_ms: int) -> Snapshot:
    """What a snapshot's engine did since its last change (its last start, the snapshot itself or
    `earliest_ms`, whatever was last), as a snapshot that is not kept.

    Raises NotAchieved where the engine is not being recorded.
    """
    from store.compare.impact import washout_ms
    from store.tables.runs import latest_run

    run = latest_run(ledger, before.engine_id)
    if run is None or run.first_ms is None or run.last_ms is None:
        raise NotAchieved("Nothing was recorded of that engine")
    from_ms = max(before.to_ms, run.first_ms, earliest_ms)
    for change in list_changes(ledger, before.engine_id, from_ms, now_ms):
        if change.took_effect or change.outcome == "put back":
            washout = washout_ms(ledger, before.engine_id, change.ts_ms)
            from_ms = max(from_ms, change.ts_ms + washout)
            break
    to_ms = max(from_ms, run.last_ms)
    return Snapshot(
        NOW,
        before.engine_id,
        from_ms,
        to_ms,
        now_ms,
        configuration(ledger, before.engine_id, to_ms),
    )
