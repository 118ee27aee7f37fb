"""The impact of the last change, watched: each look goes on from the one before.

A comparison imports numpy, so none is made before there is a change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.compare.impact import ImpactWatch

if TYPE_CHECKING:
    from store.compare.impact import Impact
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook
    from store.records import Change


IMPACT_METRICS = ("cost_per_request_usd", "generation_rate", "cache_hit_rate", "ttft_p95")
"""The metrics of the strip. The more there are, the more each must show."""

_FOR_REASONS = ("active_cost_per_request_usd", "failed_share")
"""Compared for what the reasons say of them."""


class ImpactCache:
    """The watch on the last change."""

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._watched: tuple[Ledger, int, str] | None = None
        self._watch: ImpactWatch | None = None

    def of(self, ledger: Ledger, engine_id: int, change: Change, now_ms: int) -> Impact:
        """The impact of `change` as far as it is known at `now_ms`."""
        watched = (ledger, engine_id, change.id)
        if self._watch is None or watched != self._watched:
            metrics = (*IMPACT_METRICS, *_FOR_REASONS)
            self._watch = ImpactWatch(ledger, engine_id, self._prices, metrics)
            self._watched = watched
        return self._watch.look(change, now_ms)
