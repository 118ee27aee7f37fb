"""What one page of metrics says, in the ledger's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.reading_columns import Bounds, Histogram


@dataclass(frozen=True, slots=True)
class Sample:
    """An engine at one instant; None where the page does not tell.

    `counters` has a key for each of `COUNTERS` and `TOTALS` of `store/reading_columns.py`,
    `histograms` one for each of `HISTOGRAMS`. `running` and `waiting` are requests, `kv_usage` a
    fraction 0..1 (the mean over the engines of a data-parallel server). `process_start_s` is
    seconds since the epoch.
    `cache_config` holds the labels of `cache_config_info` (`block_size`, `num_gpu_blocks`, …).
    """

    counters: Mapping[str, int | None]
    running: int | None
    waiting: int | None
    kv_usage: float | None
    histograms: Mapping[str, Histogram | None]
    bounds: Bounds
    process_start_s: float | None
    model: str | None
    cache_config: Mapping[str, str]
