"""The impact of the last change, measured again only when it can have changed.

A comparison resamples blocks and imports numpy: worth it once a block (10 s), not once a second.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from store.compare.impact import impact, impact_key

if TYPE_CHECKING:
    from store.compare.impact import Impact
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook
    from store.records import Change


class ImpactCache:
    """The impact last measured, and the key it stands for."""

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._key: Hashable = None
        self._impact: Impact | None = None

    def of(self, ledger: Ledger, engine_id: int, change: Change, now_ms: int) -> Impact:
        """The impact of `change` as far as it is known at `now_ms`."""
        key = impact_key(ledger, engine_id, change, now_ms)
        if self._impact is None or key != self._key:
            self._impact = impact(ledger, engine_id, change, self._prices, now_ms)
            self._key = key
        return self._impact
