"""Histograms over a window: differences within a run, merged over runs on the bounds they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub

from store.reading_columns import Histogram
from store.windows.sums import add_known, minus_known


@dataclass(frozen=True, slots=True)
class HistogramWindow:
    """Observations that fell into a window. `bounds` (seconds, ascending) has one per bucket."""

    bounds: tuple[float, ...]
    histogram: Histogram


def difference(
    lower: Sequence[int | None], upper: Sequence[int | None], bounds: tuple[float, ...]
) -> HistogramWindow | None:
    """What came between two rows, each given as count, sum in µs, and the bucket slots.

    None where either row lacks the histogram or the run's bounds are not known.
    """
    slots = slice(2, 2 + len(bounds))
    if not bounds or lower[0] is None or upper[0] is None or None in (*lower[slots], *upper[slots]):
        return None
    buckets = tuple(map(sub, upper[slots], lower[slots]))
    if len(buckets) < len(bounds):
        return None
    sum_us = minus_known(upper[1], lower[1])
    return HistogramWindow(bounds, Histogram(upper[0] - lower[0], sum_us, buckets))


def merge(a: HistogramWindow | None, b: HistogramWindow | None) -> HistogramWindow | None:
    """The observations of both, in buckets between the bounds that both have.

    Cumulative counts at a shared bound are exact in each, so the merged ones are exact too. None
    where either is unknown.
    """
    if a is None or b is None:
        return None
    if a.bounds == b.bounds:
        bounds, buckets_a, buckets_b = a.bounds, a.histogram.buckets, b.histogram.buckets
    else:
        bounds = tuple(sorted(set(a.bounds) & set(b.bounds)))
        buckets_a, buckets_b = _on_bounds(a, bounds), _on_bounds(b, bounds)
    return HistogramWindow(
        bounds,
        Histogram(
            a.histogram.count + b.histogram.count,
            add_known(a.histogram.sum_us, b.histogram.sum_us),
            tuple(x + y for x, y in zip(buckets_a, buckets_b, strict=True)),
        ),
    )


def _on_bounds(window: HistogramWindow, bounds: tuple[float, ...]) -> tuple[int, ...]:
    """The buckets of `window` gathered between `bounds`, a subset of its own."""
    gathered: list[int] = []
    total = 0
    wanted_bounds = set(bounds)
    for bound, bucket in zip(window.bounds, window.histogram.buckets, strict=True):
        total += bucket
        if bound in wanted_bounds:
            gathered.append(total)
            total = 0
    return tuple(gathered)
