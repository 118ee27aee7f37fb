"""What a change did: the time before it against the time after it, growing as blocks complete.

    before = up to span_ms before the change began, not reaching into what an earlier change did
    after  = from settle_ms past the change until now, the beginning of the next, or span_ms later

Changes within `settle_ms` of each other (several knobs set at once) are one act: nothing can tell
their effects apart.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.compare.blocks import BLOCK_MS, Span
from store.metrics.prices import PriceBook
from store.records import Change
from store.tables.changes import SETTLE_MS, list_changes

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
    *,
    block_ms: int = BLOCK_MS,
    span_ms: int = SPAN_MS,
    settle_ms: int = SETTLE_MS,
) -> Impact:
    """The impact of a change as far as it can be seen at `now_ms`.

    It changes only when `impact_key` does, so a caller that keeps the last one computes it once per
    block.
    """
    spans = _spans(ledger, engine_id, change, now_ms, (block_ms, span_ms, settle_ms))
    blocks = (_length(spans.before) // block_ms, _length(spans.after) // block_ms)
    comparison = None
    if min(blocks) > 0 and change.outcome == "applied":
        from store.compare.comparison import compare  # numpy, only where one is made

        comparison = compare(ledger, spans.before, spans.after, prices, block_ms=block_ms)
        blocks = (comparison.windows[0].blocks, comparison.windows[1].blocks)
    return Impact(change, spans.before, spans.after, comparison, blocks, spans.together)


def impact_key(
    ledger: Ledger,
    engine_id: int,
    change: Change,
    now_ms: int,
    *,
    block_ms: int = BLOCK_MS,
    span_ms: int = SPAN_MS,
    settle_ms: int = SETTLE_MS,
) -> Hashable:
    """What `impact` depends on: equal keys, equal impacts (at the same prices). One small query."""
    spans = _spans(ledger, engine_id, change, now_ms, (block_ms, span_ms, settle_ms))
    return (change.id, change.outcome, spans.before, spans.after)


def _spans(
    ledger: Ledger, engine_id: int, change: Change, now_ms: int, sizes: tuple[int, int, int]
) -> _Spans:
    """Both spans in whole blocks, so that they move only when a block completes."""
    block_ms, span_ms, settle_ms = sizes
    reach = span_ms + 2 * settle_ms + _took(change)
    others = [
        other
        for other in list_changes(ledger, engine_id, change.ts_ms - reach, change.ts_ms + reach)
        if other.outcome == "applied" and other.id != change.id
    ]
    first, last, together = _act(change, others, settle_ms)
    earlier = [other.ts_ms + settle_ms for other in others if other.ts_ms < first]
    later = [other.ts_ms - _took(other) for other in others if other.ts_ms > last]
    since = max([first - span_ms, *earlier])
    start = last + settle_ms
    until = min([now_ms - LAG_MS, start + span_ms, *later])
    before_ms = _whole(first - since, block_ms)
    after_ms = _whole(until - start, block_ms)
    return _Spans(
        Span(engine_id, first - before_ms, first, "before"),
        Span(engine_id, start, start + after_ms, "after"),
        together,
    )


def _act(change: Change, others: list[Change], settle_ms: int) -> tuple[int, int, tuple[str, ...]]:
    """First and last instant of the act a change belongs to, and the other knobs in it."""
    first, last = change.ts_ms - _took(change), change.ts_ms
    knobs: list[str] = []
    for other in sorted(others, key=lambda other: abs(other.ts_ms - change.ts_ms)):
        if first - settle_ms <= other.ts_ms <= last + settle_ms:
            first, last = min(first, other.ts_ms - _took(other)), max(last, other.ts_ms)
            knobs.append(other.knob)
    return first, last, tuple(sorted(set(knobs)))


def _took(change: Change) -> int:
    """Milliseconds from a change's beginning to its effect: a swap's may be a minute."""
    return 0 if change.took_ms is None else round(change.took_ms)


def _whole(length_ms: int, block_ms: int) -> int:
    return max(0, length_ms // block_ms * block_ms)


def _length(span: Span) -> int:
    return span.to_ms - span.from_ms
