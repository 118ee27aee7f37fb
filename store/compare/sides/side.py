"""One side of a comparison: a span, its window, its blocks, and the values they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from store.compare.sides.blocks import FEWEST_BLOCKS, Blocks, Span, cut
from store.metrics.amounts import Amounts, add_amounts, amounts
from store.metrics.measure import MetricValue, measure
from store.metrics.prices import PriceBook
from store.windows.window import Window, add, read_window

if TYPE_CHECKING:
    from store.ledger.connection import Ledger


@dataclass(frozen=True, slots=True)
class Side:
    """A span measured. `window` is None where the ledger holds too little of it.

    `parts` are the amounts of each usable block. `sums` and `values` are those of the usable blocks
    where some time had to be left out, so that a value and its interval speak of the same time;
    else those of the whole window.
    """

    span: Span
    window: Window | None
    blocks: Blocks
    parts: tuple[Amounts, ...]
    sums: Amounts
    values: Mapping[str, MetricValue]

    @property
    def label(self) -> str:
        """How the side is named in a sentence."""
        return self.span.label or "the window"

    @property
    def is_enough(self) -> bool:
        """Whether it has the blocks that an interval needs."""
        return len(self.parts) >= FEWEST_BLOCKS


def read_side(
    ledger: Ledger,
    span: Span,
    prices: PriceBook,
    *,
    grows: bool = False,
    before: Side | None = None,
) -> Side:
    """Read a span of the ledger and cut it into blocks. Of a side that `grows`, `before` is the
    same up to an earlier end, read at the same prices: what it has is not read again, and what is
    not a whole block yet is not counted yet."""
    earlier = None if before is None or not before.parts else before
    blocks = cut(ledger, span, grows=grows, before=None if earlier is None else earlier.blocks)
    to_ms = blocks.cut_ms if grows else span.to_ms
    window = read_window(ledger, span.engine_id, span.from_ms, to_ms)
    if window is None:
        return Side(span, None, Blocks(), (), {}, {})
    if earlier is not None and earlier.blocks.block_ms == blocks.block_ms:
        new_blocks = blocks.kept[len(earlier.parts) :]
        parts = (*earlier.parts, *(amounts(block, prices) for block in new_blocks))
    else:
        parts = tuple(amounts(block, prices) for block in blocks.kept)
    sums: Amounts
    if blocks.left_out and parts:
        sums, measured = add_amounts(parts), reduce(add, blocks.kept)
    else:
        sums, measured = amounts(window, prices), window
    values = measure(sums, measured.maxima, measured.histograms)
    return Side(span, window, blocks, parts, sums, values)
