"""A span of time cut into blocks: the repeated measurements that an interval is made of.

A block lies between two rows of one run, a second apart or, in a long span or a thinned ledger, as
much further apart as leaves `MOST_BLOCKS`. So blocks tile the span, and without gaps they sum to
its window exactly. Left out, and told by how many seconds, are stretches that nobody watched and
those in which a swap ran: that measures the engine, starts another one beside it and drains it,
which is trimtab's own doing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from store.tables import swaps
from store.tables.readings import Row, first_row, row_at, times_between
from store.tables.runs import read_bounds
from store.windows.window import Window, add, difference_of_rows, runs_between

if TYPE_CHECKING:
    from store.ledger.connection import Ledger

BLOCK_MS = 1_000

MOST_BLOCKS = 256
"""A longer span has longer blocks instead of more, twice as long each time."""

FEWEST_BLOCKS = 8
"""Fewer blocks of a window do not show their noise."""

_WHOLE = 0.9
"""The part of a block's length that its rows must span, and of its time that must be watched."""

_GAP_MS = 10_000
"""Rows further apart than this (and than three blocks) have a gap between them, not a block."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an engine's time, named for a reader."""

    engine_id: int
    from_ms: int
    to_ms: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The usable blocks of a span in time order, the seconds left out by reason, how long a block
    is, and the instant up to which the span is cut."""

    kept: tuple[Window, ...] = ()
    left_out: Mapping[str, float] = field(default_factory=dict)
    block_ms: int = BLOCK_MS
    cut_ms: int = 0

    @property
    def seconds(self) -> float:
        """The time that the blocks cover."""
        return sum(block.to_ms - block.from_ms for block in self.kept) / 1000


def cut(ledger: Ledger, span: Span, *, grows: bool = False, before: Blocks | None = None) -> Blocks:
    """Cut a span into blocks. Of a span that `grows` what is left at its end waits for the block to
    be whole, and `before`, its blocks up to an earlier end, is gone on from, so that it is read
    once; else it goes to the last block."""
    length_ms = span.to_ms - span.from_ms
    if length_ms <= 0:
        return Blocks()
    start_ms = span.from_ms if before is None else before.cut_ms
    block_ms = _block_length(ledger, span) if before is None else before.block_ms
    kept = [] if before is None else list(before.kept)
    left_out = {} if before is None else dict(before.left_out)
    swapping = swaps.times(ledger, span.engine_id, start_ms, span.to_ms)
    cut_ms, run_id = start_ms, kept[-1].run_ids[-1] if kept else None
    with ledger.consistent():
        for lower, upper, bounds in _neighbours(ledger, span, start_ms, block_ms, grows=grows):
            if run_id not in (None, lower[0]):
                _leave_out(left_out, "restart", lower[1] - cut_ms)
            run_id, cut_ms = upper[0], upper[1]
            reason = _gap(lower, upper, block_ms) or _swapped(lower, upper, swapping)
            window = None
            if not reason:
                window = difference_of_rows(ledger, span.engine_id, lower, upper, bounds)
                reason = _unwatched(window)
            if window is None or reason:
                _leave_out(left_out, reason, upper[1] - lower[1])
            elif _is_rest(window, kept, block_ms):
                kept[-1] = add(kept[-1], window)
            else:
                kept.append(window)
    while len(kept) > MOST_BLOCKS:
        kept, block_ms = list(_joined(kept)), 2 * block_ms
    return Blocks(tuple(kept), left_out, block_ms, cut_ms)


def _block_length(ledger: Ledger, span: Span) -> int:
    """One second, doubled until the span holds few enough, and no less than its rows are apart."""
    block_ms = BLOCK_MS
    while (span.to_ms - span.from_ms) / block_ms > MOST_BLOCKS:
        block_ms *= 2
    steps = [
        after - before
        for run_id in runs_between(ledger, span.engine_id, span.from_ms, span.to_ms)
        for before, after in pairwise(times_between(ledger, run_id, span.from_ms, span.to_ms))
    ]
    return max(block_ms, round(median(steps))) if steps else block_ms


def _neighbours(
    ledger: Ledger, span: Span, start_ms: int, block_ms: int, *, grows: bool
) -> Iterator[tuple[Row, Row, Mapping[str, tuple[float, ...]]]]:
    """Each pair of rows of one run that are a block apart, with the run's bucket bounds; at the end
    of what does not grow the rest, which is shorter."""
    for run_id in runs_between(ledger, span.engine_id, start_ms, span.to_ms):
        lower = row_at(ledger, run_id, start_ms) or first_row(ledger, run_id)
        if lower is None:
            continue
        bounds = read_bounds(ledger, run_id)
        times = times_between(ledger, run_id, lower[1], span.to_ms)
        for ts_ms in times:
            is_rest = ts_ms - lower[1] < _WHOLE * block_ms
            if is_rest and (grows or ts_ms < times[-1]):
                continue
            upper = row_at(ledger, run_id, ts_ms)
            assert upper is not None  # its time was just read, in the same transaction
            yield lower, upper, bounds
            lower = upper


def _is_rest(window: Window, kept: Sequence[Window], block_ms: int) -> bool:
    """Whether a window is too short for a block and follows one."""
    is_short = window.to_ms - window.from_ms < _WHOLE * block_ms
    return is_short and bool(kept) and kept[-1].to_ms == window.from_ms


def _leave_out(left_out: dict[str, float], reason: str, length_ms: int) -> None:
    left_out[reason] = left_out.get(reason, 0.0) + length_ms / 1000


def _gap(lower: Row, upper: Row, block_ms: int) -> str:
    return "no readings" if upper[1] - lower[1] > max(_GAP_MS, 3 * block_ms) else ""


def _swapped(lower: Row, upper: Row, swapping: Sequence[tuple[int, int]]) -> str:
    inside = any(began < upper[1] and ended > lower[1] for began, ended in swapping)
    return "a swap ran" if inside else ""


def _unwatched(window: Window) -> str:
    watched = window.totals.get("watched_ms") or 0
    return "" if watched >= _WHOLE * (window.to_ms - window.from_ms) else "not watched"


def _joined(blocks: Sequence[Window]) -> Iterator[Window]:
    """Neighbours in pairs; a last one without a neighbour joins the pair before it."""
    pairs = [blocks[start : start + 2] for start in range(0, len(blocks) - len(blocks) % 2, 2)]
    for first, second in pairs[:-1]:
        yield add(first, second)
    last = add(*pairs[-1])
    yield add(last, blocks[-1]) if len(blocks) % 2 else last
