"""One side of a comparison: a span, its window, its blocks, and the values they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from store.compare.blocks import Blocks, Span, cut
from store.metrics.amounts import Amounts, add_amounts, amounts
from store.metrics.measure import MetricValue, measure
from store.metrics.prices import PriceBook
from store.windows.window import Window, add, read_window

if TYPE_CHECKING:
    from store.ledger.connection import Ledger


@dataclass(frozen=True, slots=True)
class Side:
    """A span measured. `window` is None where the ledger holds too little of it.

    `values` are those of the usable blocks where some had to be left out, so that a value and its
    interval speak of the same time; else those of the whole window.
    """

    span: Span
    window: Window | None
    blocks: Blocks
    parts: tuple[Amounts, ...]
    values: Mapping[str, MetricValue]

    @property
    def label(self) -> str:
        """How the side is named in a sentence."""
        return self.span.label or "the window"


def read_side(ledger: Ledger, span: Span, prices: PriceBook, block_ms: int) -> Side:
    """Read a span of the ledger and cut it into blocks."""
    window = read_window(ledger, span.engine_id, span.from_ms, span.to_ms)
    if window is None:
        return Side(span, None, Blocks((), {}, block_ms), (), {})
    blocks = cut(ledger, span, block_ms)
    parts = tuple(amounts(block, prices) for block in blocks.kept)
    if blocks.left_out and parts:
        sums, measured = add_amounts(parts), reduce(add, blocks.kept)
    else:
        sums, measured = amounts(window, prices), window
    values = measure(sums, measured.maxima, measured.histograms)
    return Side(span, window, blocks, parts, values)
