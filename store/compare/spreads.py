"""A metric in every resample of a side's blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from store.compare.bootstrap import Floats, Resamples, quantiles, ratios
from store.metrics.quantiles import LessThan, MoreThan
from store.metrics.specs import MetricSpec

if TYPE_CHECKING:
    from store.compare.sides import Side


def spread(spec: MetricSpec, side: Side, resamples: Resamples) -> Floats | None:
    """The metric's value in each resample, NaN where it has none; None where a block does not tell
    it, or the metric is no function of its blocks' sums (a maximum, a total)."""
    if spec.kind == "ratio":
        return _ratio_spread(spec, side, resamples)
    if spec.kind == "percentile":
        return _percentile_spread(spec, side, resamples)
    return None


def _ratio_spread(spec: MetricSpec, side: Side, resamples: Resamples) -> Floats | None:
    over = [part[spec.over] for part in side.parts]
    per = [part[spec.per] for part in side.parts]
    if None in over or None in per:
        return None
    return spec.scale * ratios(
        resamples, np.asarray(over, dtype=np.float64), np.asarray(per, dtype=np.float64)
    )


def _percentile_spread(spec: MetricSpec, side: Side, resamples: Resamples) -> Floats | None:
    rows = []
    bounds: tuple[float, ...] | None = None
    for block in side.blocks.kept:
        window = block.histograms.get(spec.over)
        if window is None or not window.bounds or bounds not in (None, window.bounds):
            return None
        bounds, counts = window.bounds, window.histogram.buckets[: len(window.bounds)]
        rows.append((*counts, max(0, window.histogram.count - sum(counts))))
    if bounds is None:
        return None
    # Where the value itself is only known to be under the first bound, every resample that falls
    # there stands at that bound: the least difference from a larger value. Else the resample may
    # lie anywhere in the first bucket, and the interval must reach into it.
    floor = bounds[0] if isinstance(side.values[spec.name], LessThan) else 0.0
    return quantiles(
        resamples,
        np.asarray(rows, dtype=np.float64),
        np.asarray(bounds, dtype=np.float64),
        spec.q,
        floor=floor,
    )


def number(value: float | LessThan | MoreThan) -> float:
    """A value as a number, a bound for what lies beyond it."""
    return value.seconds if isinstance(value, LessThan | MoreThan) else float(value)
