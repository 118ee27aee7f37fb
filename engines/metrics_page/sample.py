"""What one page of metrics says, in the ledger's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.reading_columns import Bounds, Histogram


@dataclass(frozen=True, slots=True)
class Sample:
    """An engine at one instant; None where the page does not tell.

    `counters` has a key for each of `COUNTERS` and `TOTALS` of `store/reading_columns.py`,
    `gauges` one for each of `GAUGES`: a number of requests, or a share in parts per million (the
    mean over the engines of a data-parallel server). `histograms` has one for each of `HISTOGRAMS`.
    `process_start_s` is seconds since the epoch.
    `cache_config` holds the labels of `cache_config_info` (`block_size`, `num_gpu_blocks`, …).
    """

    counters: Mapping[str, int | None]
    gauges: Mapping[str, int | None]
    histograms: Mapping[str, Histogram | None]
    bounds: Bounds
    process_start_s: float | None
    model: str | None
    cache_config: Mapping[str, str]

    @property
    def in_flight(self) -> int | None:
        """Requests running or waiting; None where the engine does not tell those running."""
        running = self.gauges["running"]
        return None if running is None else running + (self.gauges["waiting"] or 0)
