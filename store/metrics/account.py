"""All that is told of one window: its metrics, why some are unknown, what was doubted, the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.metrics.amounts import amounts
from store.metrics.cost import WindowCost, cost_of
from store.metrics.devices import DeviceTold, devices_told
from store.metrics.measure import MetricValue, measure
from store.metrics.reasons import reasons
from store.windows.doubts import doubts_of

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook
    from store.windows.window import Window


@dataclass(frozen=True, slots=True)
class WindowAccount:
    """`values` are the metrics by name, `unknown` a sentence for each that is None, `doubts` what
    was not believed, with the reason, `devices` what is told of each device."""

    values: dict[str, MetricValue]
    unknown: dict[str, str]
    doubts: dict[str, str]
    cost: WindowCost
    devices: tuple[DeviceTold, ...]


def account_of(ledger: Ledger, window: Window, prices: PriceBook) -> WindowAccount:
    """What the ledger tells of a window that was read out of it."""
    sums = amounts(window, prices)
    values = measure(sums, window.maxima, window.histograms)
    doubts = doubts_of(ledger, window)
    cost = cost_of(window, prices)
    unknown = reasons(values, window, sums, cost, doubts)
    return WindowAccount(values, unknown, doubts, cost, devices_told(ledger, window, cost))
