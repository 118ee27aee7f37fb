"""A span of time cut into blocks: the repeated measurements an interval is made of.

Blocks tile the span, so without gaps they sum to its window exactly. Where rows are further apart
than a block (thinned, or recorded slowly) a block grows until it holds enough of them. A block that
a restart or a gap runs through is left out, and counted; so is one in which a swap ran, for that
measures the engine, starts another one beside it and drains it, which is trimtab's own doing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.tables import swaps
from store.windows.window import Window, read_window

if TYPE_CHECKING:
    from store.ledger.connection import Ledger

BLOCK_MS = 10_000

MOST_BLOCKS = 120
"""A longer span has longer blocks instead of more: they are the more independent, and a night
compares as fast as twenty minutes."""

_SHORTEST = 0.8
"""A block's rows must span this part of it; rows at or before its ends seldom lie on them."""

_WATCHED = 0.9
"""The part of a block's time that must have been watched."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an engine's time, named for a reader."""

    engine_id: int
    from_ms: int
    to_ms: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The usable blocks of a span in time order, how many were left out for which reason, and how
    long a block is."""

    kept: tuple[Window, ...]
    left_out: Mapping[str, int]
    block_ms: int


def cut(ledger: Ledger, span: Span, block_ms: int = BLOCK_MS) -> Blocks:
    """Cut a span into equal blocks of at least `block_ms`, as many as it holds to `MOST_BLOCKS`."""
    length = span.to_ms - span.from_ms
    if block_ms <= 0 or length < block_ms:
        return Blocks((), {}, block_ms)
    count = min(length // block_ms, MOST_BLOCKS)
    kept: list[Window] = []
    left_out: dict[str, int] = {}
    swapping = swaps.times(ledger, span.engine_id, span.from_ms, span.to_ms)
    start = 0
    for end in range(1, count + 1):
        from_ms = span.from_ms + length * start // count
        to_ms = span.from_ms + length * end // count
        window = read_window(ledger, span.engine_id, from_ms, to_ms)
        shortest_ms = _SHORTEST * length / count
        if window is None or window.to_ms - window.from_ms < shortest_ms:
            continue  # too few rows yet: the block grows to the next edge
        reason = _unusable(window, swapping)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + end - start
        else:
            kept.append(window)
        start = end
    if start < count:
        left_out["no readings"] = count - start
    return Blocks(tuple(kept), left_out, length // count)


def _unusable(window: Window, swapping: Sequence[tuple[int, int]]) -> str:
    if window.runs > 1:
        return "restart"
    if any(began < window.to_ms and ended > window.from_ms for began, ended in swapping):
        return "a swap ran"
    watched = window.totals.get("watched_ms") or 0
    if watched < _WATCHED * (window.to_ms - window.from_ms):
        return "not watched"
    return ""
