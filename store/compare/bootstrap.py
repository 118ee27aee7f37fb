"""Intervals for the difference of two windows, from a moving-block bootstrap of their blocks.

Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics
17 (1989): runs of k consecutive blocks are drawn with replacement, so that what neighbours share
survives in the resample. Every metric is computed again from the drawn blocks' sums; one draw
serves all metrics. With few blocks the plain percentile interval is too narrow, so deviations are
stretched by sqrt(n/(n-k)) and by Student's t over the normal quantile, with degrees of freedom
found by simulation (docs/statistics.md gives the measured coverage).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.metrics.quantiles import ROUNDING

Floats = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 2_000
LEVEL = 0.95
_NORMAL = 1.959963984540054

_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, 97.5 %, for 1 to 10 degrees of freedom."""

_MOST_LOST = 0.01
"""Resamples without a value (no request among the drawn blocks) that an interval still bears."""


@dataclass(frozen=True, slots=True)
class Resamples:
    """How often each of n blocks is drawn in each resample: `counts` is (RESAMPLES, n)."""

    counts: Floats
    run_length: int

    @property
    def stretch(self) -> float:
        """The factor that undoes the shrinking of a mean's deviations among n blocks."""
        n = self.counts.shape[1]
        return math.sqrt(n / (n - self.run_length))

    @property
    def independent(self) -> float:
        """How many independent runs the blocks hold."""
        return float(self.counts.shape[1] / self.run_length)


def resample(blocks: int, seed: tuple[int, ...]) -> Resamples:
    """Draw runs of consecutive blocks (at least 2 blocks) until each resample has `blocks`."""
    length = round(math.sqrt(blocks))
    random = np.random.default_rng(seed)
    starts = random.integers(0, blocks - length + 1, size=(RESAMPLES, -(-blocks // length)))
    chosen_blocks = (starts[:, :, None] + np.arange(length)).reshape(RESAMPLES, -1)[:, :blocks]
    cells = chosen_blocks + blocks * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(cells.ravel(), minlength=RESAMPLES * blocks)
    return Resamples(counts.reshape(RESAMPLES, blocks).astype(np.float64), length)


def ratios(resamples: Resamples, over: Floats, per: Floats) -> Floats:
    """The ratio of sums Σover ÷ Σper in each resample; NaN where the divisor is 0."""
    top, bottom = resamples.counts @ over, resamples.counts @ per
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def quantiles(
    resamples: Resamples, buckets: Floats, bounds: Floats, q: float, *, floor: float = 0.0
) -> Floats:
    """The `q`-quantile of the merged buckets in each resample; NaN where nothing was observed.

    `buckets` is (blocks, finite bounds + overflow). Inside the first bucket it interpolates from
    `floor`; the overflow is its lower bound.
    """
    merged = resamples.counts @ buckets
    running = np.cumsum(merged, axis=1)
    total = running[:, -1]
    rank = q * total * (1 - ROUNDING)
    slot = np.argmax((running >= rank[:, None]) & (merged > 0), axis=1)
    row = np.arange(len(slot))
    lower = np.concatenate(([floor], bounds))[slot]
    upper = np.concatenate((bounds, bounds[-1:]))[slot]
    slot_count = merged[row, slot]
    fraction = np.divide(
        rank - (running[row, slot] - slot_count),
        slot_count,
        out=np.zeros_like(rank),
        where=slot_count > 0,
    )
    return np.where(total > 0, lower + (upper - lower) * np.clip(fraction, 0.0, 1.0), np.nan)


def difference_interval(
    a: float, b: float, spread_a: Floats, spread_b: Floats, resamples: tuple[Resamples, Resamples]
) -> Interval | None:
    """The 95 % interval of b - a from each side's resamples; None where too many have no value."""
    deviation = resamples[1].stretch * (spread_b - b) - resamples[0].stretch * (spread_a - a)
    undefined = np.isnan(deviation)
    if undefined.mean() > _MOST_LOST:
        return None
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(deviation[~undefined], tails) * _widening(resamples)
    return (b - a + float(low), b - a + float(high))


def ratio_interval(
    a: float, b: float, spread_a: Floats, spread_b: Floats, resamples: tuple[Resamples, Resamples]
) -> Interval | None:
    """The 95 % interval of b ÷ a, made on the logarithm; None unless all values are positive."""
    defined = [values[~np.isnan(values)] for values in (spread_a, spread_b)]
    if a <= 0 or b <= 0 or any((values <= 0).any() for values in defined):
        return None
    interval = difference_interval(
        math.log(a), math.log(b), np.log(spread_a), np.log(spread_b), resamples
    )
    return None if interval is None else (math.exp(interval[0]), math.exp(interval[1]))


def _widening(resamples: tuple[Resamples, Resamples]) -> float:
    return student_975(degrees_of_freedom(resamples)) / _NORMAL


def degrees_of_freedom(resamples: tuple[Resamples, Resamples]) -> float:
    """Between the least (of the shorter window alone) and the most (both windows pooled)."""
    return 1.5 * (min(side.independent for side in resamples) - 1)


def student_975(freedom: float) -> float:
    """Student's t at 97.5 %: between whole degrees linear in 1/df, from ten up Fisher's series."""
    if freedom <= 1:
        return _T_975[0]
    if freedom >= len(_T_975):
        z = _NORMAL
        terms = (
            (z**3 + z) / 4,
            (5 * z**5 + 16 * z**3 + 3 * z) / 96,
            (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        )
        return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
    degrees = int(freedom)
    low, high = _T_975[degrees - 1], _T_975[degrees]
    weight = (1 / degrees - 1 / freedom) / (1 / degrees - 1 / (degrees + 1))
    return low + (high - low) * weight
