"""Chart values, kept from tick to tick so that a tick reads only what is new.

A slot's rate is the slot's own. Ratios over few requests (cost per request, hit rate) jump, so each
is taken over the last `TRAIL_MS`, never across a change: an edge at a mark is the change's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from app.tui.feed.chart_specs import CHARTS
from app.tui.feed.frame import Series
from store.metrics.amounts import Amounts, add_amounts, amounts
from store.metrics.measure import measure
from store.windows.series import read_steps

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook

_LINES = [line for chart in CHARTS for line in chart.lines]
OWN = [line.metric for line in _LINES if not line.trailing]
TRAILING = [line.metric for line in _LINES if line.trailing]
TRAIL_MS = 10_000
SLOTS_KEPT = 512
"""More than the widest chart shows."""


class SeriesCache:
    """The chart values of one engine at one slot width."""

    def __init__(self, engine_id: int, slot_ms: int, prices: PriceBook) -> None:
        self.engine_id = engine_id
        self.slot_ms = slot_ms
        self._prices = prices
        self._amounts: dict[int, Amounts] = {}
        self._values: dict[str, dict[int, float]] = {name: {} for name in (*OWN, *TRAILING)}
        self._next: int | None = None
        self._series: Series | None = None

    def update(self, ledger: Ledger, until_ms: int, change_times: Sequence[int]) -> Series:
        """The series up to the last slot that is over at `until_ms` (the last reading)."""
        end = until_ms // self.slot_ms
        if self._next is not None and end < self._next:
            self._start_anew()  # the clock was set back: what lies ahead of it now is yet to come
        start = end - SLOTS_KEPT if self._next is None else self._next
        if end <= start and self._series is not None:
            return self._series
        first_read = max(start, end - SLOTS_KEPT)
        for window in read_steps(
            ledger,
            self.engine_id,
            first_read * self.slot_ms,
            end * self.slot_ms,
            self.slot_ms,
        ):
            slot = (window.to_ms - 1) // self.slot_ms
            self._amounts[slot] = amounts(window, self._prices)
        for slot in range(first_read, end):
            if slot in self._amounts:
                self._measure(slot, change_times)
        self._next = end
        self._forget(end - SLOTS_KEPT)
        copied = {name: dict(values) for name, values in self._values.items()}
        self._series = Series(self.slot_ms, end - 1, copied)
        return self._series

    def _start_anew(self) -> None:
        self._amounts.clear()
        for values in self._values.values():
            values.clear()
        self._next = self._series = None

    def _measure(self, slot: int, change_times: Sequence[int]) -> None:
        own = measure(self._amounts[slot], {}, {})
        trail = measure(add_amounts(self._trail(slot, change_times)), {}, {})
        self._keep(slot, own, OWN)
        self._keep(slot, trail, TRAILING)

    def _trail(self, slot: int, change_times: Sequence[int]) -> list[Amounts]:
        length = max(1, TRAIL_MS // self.slot_ms)
        middle = slot * self.slot_ms + self.slot_ms // 2
        since = max((ts for ts in change_times if ts <= middle), default=0)
        earliest = max(slot - length + 1, -(-since // self.slot_ms))
        slots = range(min(earliest, slot), slot + 1)
        return [self._amounts[near] for near in slots if near in self._amounts]

    def _keep(self, slot: int, values: Mapping[str, object], names: Sequence[str]) -> None:
        for name in names:
            value = values[name]
            if isinstance(value, int | float):
                self._values[name][slot] = float(value)

    def _forget(self, before: int) -> None:
        self._amounts = {slot: kept for slot, kept in self._amounts.items() if slot >= before}
        for name, values in self._values.items():
            self._values[name] = {slot: kept for slot, kept in values.items() if slot >= before}
