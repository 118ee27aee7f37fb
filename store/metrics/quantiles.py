"""Percentiles out of bucket counts, without inventing what the buckets do not tell.

The rule is that of Prometheus's `histogram_quantile`: find the bucket in which the rank falls and
interpolate linearly inside it. It differs at both ends. Prometheus takes 0 as the lower edge of the
first bucket, which invents a value wherever most observations lie there (vLLM's queue histogram
starts at 0.3 s; a true mean of 20 µs would read as a median of 150 ms), and answers the last finite
bound for a rank above it. Here the first bucket answers `LessThan` and the overflow `MoreThan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.windows.window import HistogramWindow


@dataclass(frozen=True, slots=True)
class LessThan:
    """A value known only to be under a bound, in seconds. In JSON `{"lt": 0.3}`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class MoreThan:
    """A value known only to be over a bound, in seconds. In JSON `{"gt": 7680}`."""

    seconds: float


ROUNDING = 1e-12
"""Taken off a rank, so that 0.1 * 30 = 3.0000000000000004 does not fall past the third value."""

Quantile = float | LessThan | MoreThan
"""A percentile in seconds, or the bound it lies beyond."""


def quantile(window: HistogramWindow, q: float) -> Quantile | None:
    """The `q`-quantile (0 < q <= 1) of a window's observations, in seconds.

    None where nothing was observed or no finite bucket is known.
    """
    if not 0 < q <= 1:
        raise ValueError(f"a quantile lies in (0, 1], not {q}")
    bounds, histogram = window.bounds, window.histogram
    counts = histogram.buckets[: len(bounds)]
    if not bounds or len(counts) < len(bounds) or histogram.count <= 0:
        return None
    rank = q * histogram.count * (1 - ROUNDING)
    count_below = 0
    for slot, count in enumerate(counts):
        if count > 0 and count_below + count >= rank:
            if slot == 0:
                return LessThan(bounds[0])
            lower = bounds[slot - 1]
            return lower + (bounds[slot] - lower) * (rank - count_below) / count
        count_below += count
    return MoreThan(bounds[-1])
