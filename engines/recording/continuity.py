"""Whether what is read now goes on from what was read before.

Counters live as long as the engine's process. A page of another life of it must begin a new run; a
page of the same life that has lost a number it had is not whole, and is not stored at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engines.metrics_page.sample import Sample
from store.reading_columns import COUNTERS, TOTALS, Bounds, Histogram, Reading

START_TOLERANCE_S = 2.0
"""How far the start of one process may differ between two ways of telling it (the page, /proc)."""


def restarted(before: Sample, after: Sample) -> str | None:
    """Why `after` is from another life of the engine than `before`; None if it goes on."""
    started, starts = before.process_start_s, after.process_start_s
    if started is not None and starts is not None and started != starts:
        return "the process started anew"
    if _rebucketed(before.bounds, after.bounds):
        return "the buckets of a histogram changed"
    return _fallen(before.counters, before.histograms, after)


def lost(before: Sample, after: Sample) -> str | None:
    """A number that `before` had and `after` has not, or None."""
    for name, value in before.counters.items():
        if value is not None and after.counters[name] is None:
            return name
    for name, histogram in before.histograms.items():
        if histogram is not None and after.histograms[name] is None:
            return name
    for name, gauge in before.gauges.items():
        if gauge is not None and after.gauges[name] is None:
            return name
    return None


def continues(last: Reading, bounds: Bounds, sample: Sample) -> bool:
    """Whether a run whose last stored reading is `last` can go on with `sample`."""
    counters = {name: last.values[name] for name in (*COUNTERS, *TOTALS)}
    if _rebucketed(bounds, sample.bounds):
        return False
    return _fallen(counters, last.histograms, sample) is None


def same_start(one_ms: int | None, other_ms: int | None) -> bool:
    """Whether two start times, in ms, may be of one process; unknown ones may."""
    if one_ms is None or other_ms is None:
        return True
    return abs(one_ms - other_ms) <= START_TOLERANCE_S * 1000


def _rebucketed(before: Bounds, after: Bounds) -> bool:
    old_bounds, new_bounds = before.by_histogram, after.by_histogram
    return any(
        old_bounds[name] != new_bounds[name] for name in old_bounds.keys() & new_bounds.keys()
    )


def _fallen(
    counters: Mapping[str, int | None],
    histograms: Mapping[str, Histogram | None],
    after: Sample,
) -> str | None:
    for name, old in counters.items():
        new = after.counters[name]
        if old is not None and new is not None and new < old:
            return f"{name} fell from {old} to {new}"
    for name, histogram in histograms.items():
        new_histogram = after.histograms[name]
        if histogram is None or new_histogram is None:
            continue
        if any(new < old for old, new in _numbers(histogram, new_histogram)):
            return f"{name} fell"
    return None


def _numbers(before: Histogram, after: Histogram) -> Iterator[tuple[int, int]]:
    yield before.count, after.count
    yield before.sum_us, after.sum_us
    yield from zip(before.buckets, after.buckets, strict=False)
