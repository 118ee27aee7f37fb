"""A comparison whose second window grows: each look goes on from what the one before has read."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from store.compare.comparison import Comparison, compare_sides
from store.compare.drift import Drift, drift_between
from store.compare.sides.side import Side, read_side

if TYPE_CHECKING:
    from store.compare.sides.blocks import Span
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook

_DECIDED = ("better", "worse")


class GrowingComparison:
    """Two spans of a ledger, the second one growing from look to look."""

    def __init__(self, ledger: Ledger, prices: PriceBook, metrics: Collection[str] = ()) -> None:
        """With `metrics` those (and the one that decides) are compared, else all."""
        self._ledger = ledger
        self._prices = prices
        self._metrics = metrics
        self._a: Side | None = None
        self._b: Side | None = None
        self._drift: tuple[int, Drift | None] | None = None

    def look(self, a: Span, b: Span) -> Comparison:
        """The comparison as far as `b` has grown, with intervals that hold at every look.

        What untouched windows differ by is asked once a verdict is there, and again when `b` has
        doubled: it can only take the verdict back.
        """
        if self._a is None or self._a.span != a:
            self._a, self._b, self._drift = read_side(self._ledger, a, self._prices), None, None
        before = self._b if self._b is not None and self._b.span.from_ms == b.from_ms else None
        self._b = read_side(self._ledger, b, self._prices, grows=True, before=before)
        size = round(self._b.blocks.seconds).bit_length()
        if self._drift is None or self._drift[0] != size:
            comparison = self._compared(None)
            if comparison.verdict not in _DECIDED:
                return comparison
            drift = drift_between(self._ledger, self._a, self._b, self._prices)
            self._drift = (size, drift)
        return self._compared(self._drift[1])

    def _compared(self, drift: Drift | None) -> Comparison:
        assert self._a is not None and self._b is not None  # `look` has read them
        return compare_sides(
            self._ledger,
            self._a,
            self._b,
            self._prices,
            only=self._metrics,
            at_every_look=True,
            drift=drift,
        )
