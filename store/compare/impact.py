"""What a change did: the time before it against the time after it, growing as blocks complete.

    before = up to SPAN_MS before the change began, not reaching into what an earlier change did
    after  = from SETTLE_MS past the change until now, the beginning of the next, or SPAN_MS later

Changes within `SETTLE_MS` of each other (several knobs set at once) are one act: nothing can tell
their effects apart.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.compare.blocks import BLOCK_MS, Span
from store.metrics.prices import PriceBook
from store.records import Change
from store.tables.changes import SETTLE_MS, carried_over, list_changes

if TYPE_CHECKING:
    from store.compare.comparison import Comparison
    from store.ledger.connection import Ledger

SPAN_MS = 120_000
LAG_MS = 1_500
"""How far the newest row of a ledger that is being recorded may lie behind the clock."""


@dataclass(frozen=True, slots=True)
class Impact:
    """The effect of one change so far. `comparison` is None until each side holds a block, and for
    a change that did not take effect; `blocks` counts whole blocks before and after; `together`
    names other knobs changed in the same act."""

    change: Change
    before: Span
    after: Span
    comparison: Comparison | None
    blocks: tuple[int, int]
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Spans:
    before: Span
    after: Span
    together: tuple[str, ...]


def impact(
    ledger: Ledger,
    engine_id: int,
    change: Change,
    prices: PriceBook,
    now_ms: int,
) -> Impact:
    """The impact of a change as far as it can be seen at `now_ms`.

    It changes only when `impact_key` does, so a caller that keeps the last one computes it once per
    block.
    """
    spans = _spans(ledger, engine_id, change, now_ms)
    blocks = (_length(spans.before) // BLOCK_MS, _length(spans.after) // BLOCK_MS)
    comparison = None
    if min(blocks) > 0 and change.outcome == "applied":
        from store.compare.comparison import compare  # numpy, only where one is made

        comparison = compare(ledger, spans.before, spans.after, prices)
        blocks = (comparison.windows[0].blocks, comparison.windows[1].blocks)
    return Impact(change, spans.before, spans.after, comparison, blocks, spans.together)


def impact_key(
    ledger: Ledger,
    engine_id: int,
    change: Change,
    now_ms: int,
) -> Hashable:
    """What `impact` depends on: equal keys, equal impacts (at the same prices). One small query."""
    spans = _spans(ledger, engine_id, change, now_ms)
    return (change.id, change.outcome, spans.before, spans.after)


def _spans(ledger: Ledger, engine_id: int, change: Change, now_ms: int) -> _Spans:
    """Both spans in whole blocks, so that they move only when a block completes."""
    reach_ms = SPAN_MS + 2 * SETTLE_MS + _took(change)
    carried = carried_over(ledger, change)
    other_changes = [
        other
        for other in list_changes(
            ledger, engine_id, change.ts_ms - reach_ms, change.ts_ms + reach_ms
        )
        if other.took_effect and other.id != change.id and other.id not in carried
    ]
    first_ms, last_ms, together = _act(change, other_changes)
    earlier_ends = [other.ts_ms + SETTLE_MS for other in other_changes if other.ts_ms < first_ms]
    later_starts = [other.ts_ms - _took(other) for other in other_changes if other.ts_ms > last_ms]
    since_ms = max([first_ms - SPAN_MS, *earlier_ends])
    start_ms = last_ms + SETTLE_MS
    until_ms = min([now_ms - LAG_MS, start_ms + SPAN_MS, *later_starts])
    before_ms = _whole_blocks(first_ms - since_ms)
    after_ms = _whole_blocks(until_ms - start_ms)
    return _Spans(
        Span(engine_id, first_ms - before_ms, first_ms, "before"),
        Span(engine_id, start_ms, start_ms + after_ms, "after"),
        together,
    )


def _act(change: Change, other_changes: list[Change]) -> tuple[int, int, tuple[str, ...]]:
    """First and last instant of the act a change belongs to, and the other knobs in it."""
    first_ms, last_ms = change.ts_ms - _took(change), change.ts_ms
    knobs: list[str] = []
    for other in sorted(other_changes, key=lambda other: abs(other.ts_ms - change.ts_ms)):
        if first_ms - SETTLE_MS <= other.ts_ms <= last_ms + SETTLE_MS:
            first_ms, last_ms = min(first_ms, other.ts_ms - _took(other)), max(last_ms, other.ts_ms)
            knobs.append(other.knob)
    return first_ms, last_ms, tuple(sorted(set(knobs)))


def _took(change: Change) -> int:
    """Milliseconds from a change's beginning to its effect: a swap's may be a minute."""
    return 0 if change.took_ms is None else round(change.took_ms)


def _whole_blocks(length_ms: int) -> int:
    return max(0, length_ms // BLOCK_MS * BLOCK_MS)


def _length(span: Span) -> int:
    return span.to_ms - span.from_ms
