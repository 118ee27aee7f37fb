"""A percentile out of bucket counts, and how far it may lie from its long-run value.

Woodruff, "Confidence intervals for medians and other position measures", Journal of the American
Statistical Association 47 (1952): the share of observations below the percentile has an error like
any ratio of sums; going up and down the distribution by as much gives the interval. Inside a bucket
observations are taken to lie evenly, as for the value itself; under the first bound and over the
last nothing is known, so there everything stands at that bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.compare.intervals.influence import FEWEST_FILLED
from store.compare.intervals.spectra import Floats
from store.metrics.quantiles import ROUNDING
from store.windows.window import Window


@dataclass(frozen=True, slots=True)
class Distribution:
    """Observations of a window in buckets: `counts` (blocks, bounds + overflow), `bounds` in
    seconds, ascending."""

    counts: Floats
    bounds: Floats

    def quantile(self, share: float) -> float:
        """The value below which a share (0..1) of the observations lies, kept within the bounds."""
        totals = self.counts.sum(axis=0)
        running = np.cumsum(totals)
        rank = min(max(share, 0.0), 1.0) * running[-1] * (1 - ROUNDING)
        slot = int(np.argmax((running >= rank) & (totals > 0)))
        if slot == 0:
            return float(self.bounds[0])
        if slot >= len(self.bounds):
            return float(self.bounds[-1])
        lower, upper = self.bounds[slot - 1], self.bounds[slot]
        fraction = (rank - (running[slot] - totals[slot])) / totals[slot]
        return float(lower + (upper - lower) * min(max(fraction, 0.0), 1.0))

    def share_influence(self, value: float) -> Floats:
        """The influence of each block on the share of observations up to `value`."""
        below = self._up_to(value)
        total = self.counts.sum(axis=1)
        share = below.sum() / total.sum()
        return np.asarray(len(total) * (below - share * total) / total.sum())

    def _up_to(self, value: float) -> Floats:
        slot = int(np.searchsorted(self.bounds, value))
        if slot == 0:  # the first bound: all of the first bucket
            return np.asarray(self.counts[:, 0])
        lower, upper = self.bounds[slot - 1], self.bounds[slot]
        fraction = (value - lower) / (upper - lower)
        whole = self.counts[:, :slot].sum(axis=1)
        return np.asarray(whole + fraction * self.counts[:, slot])


def distribution_of(blocks: Sequence[Window], histogram: str) -> Distribution | None:
    """The observations of each block; None where one does not tell them, or too few have any."""
    rows = []
    bounds: tuple[float, ...] | None = None
    for block in blocks:
        window = block.histograms.get(histogram)
        if window is None or not window.bounds or bounds not in (None, window.bounds):
            return None
        bounds, counts = window.bounds, window.histogram.buckets[: len(window.bounds)]
        rows.append((*counts, max(0, window.histogram.count - sum(counts))))
    if bounds is None:
        return None
    distribution = Distribution(
        np.asarray(rows, dtype=np.float64), np.asarray(bounds, dtype=np.float64)
    )
    filled = int((distribution.counts.sum(axis=1) > 0).sum())
    return distribution if filled >= FEWEST_FILLED else None


@dataclass(frozen=True, slots=True)
class Reach:
    """Logarithms of a percentile and of the ends of its interval."""

    value: float
    low: float
    high: float


def reach(distribution: Distribution, q: float, half_width: float) -> Reach:
    """The `q`-quantile and where it may lie if the share below it errs by `half_width`."""
    return Reach(
        math.log(distribution.quantile(q)),
        math.log(distribution.quantile(q - half_width)),
        math.log(distribution.quantile(q + half_width)),
    )


def log_ratio(a: Reach, b: Reach) -> tuple[float, float]:
    """The interval of ln(b / a) out of both sides' intervals, which need not be symmetrical (Zou
    and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine
    27, 2008)."""
    difference = b.value - a.value
    return (
        difference - math.hypot(b.value - b.low, a.high - a.value),
        difference + math.hypot(b.high - b.value, a.value - a.low),
    )
