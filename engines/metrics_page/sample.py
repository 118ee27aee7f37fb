"""What one page of metrics says, in the ledger's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from store.reading_columns import Bounds, Histogram

ASLEEP = "asleep"
"""The doubt of an engine in vLLM's sleep mode."""


def sum_of(histogram: str) -> str:
    """The name under which the sum of a histogram is doubted."""
    return f"{histogram}_sum_us"


@dataclass(frozen=True, slots=True)
class Sample:
    """An engine at one instant; None where the page does not tell.

    `counters` has a key for each of `COUNTERS` and `TOTALS` of `store/reading_columns.py`,
    `gauges` one for each of `GAUGES`: a number of requests, or a share in parts per million (the
    mean over the engines of a data-parallel server). `histograms` has one for each of `HISTOGRAMS`.
    `process_start_s` is seconds since the epoch.
    `cache_config` holds the labels of `cache_config_info` (`block_size`, `num_gpu_blocks`, …).

    `doubts` says why what the page does tell is left out, by the same names; the sum of a histogram
    goes by `sum_of` its name. `sources` are vLLM's names of them, `parts` of how many series each
    is made, `ranks` the data-parallel engines that the page tells of.
    """

    counters: Mapping[str, int | None]
    gauges: Mapping[str, int | None]
    histograms: Mapping[str, Histogram | None]
    bounds: Bounds
    process_start_s: float | None
    model: str | None
    cache_config: Mapping[str, str]
    doubts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    ranks: frozenset[str] = frozenset()

    @property
    def in_flight(self) -> int | None:
        """Requests running or waiting; None where the engine does not tell those running."""
        running = self.gauges["running"]
        return None if running is None else running + (self.gauges["waiting"] or 0)
