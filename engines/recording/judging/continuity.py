"""Whether what is read now goes on from what was read before.

Counters live as long as the engine's process. A page of another life of it must begin a new run; a
page of the same life that has lost a number it had is not whole, and is not stored at all.
"""

from __future__ import annotations

from collections.abc import Mapping

from engines.metrics_page.sample import Sample
from engines.metrics_page.vllm_names import REQUIRED
from store.reading_columns import COUNTERS, TOTALS, Bounds, Histogram, Reading

MORE_RANKS = "it has more data-parallel engines"
"""What they counted before nobody had read: it is no growth of the run before."""
_PROOF = (*REQUIRED, "iterations")
"""Counters that any work moves. They fall together where the process is another one, and only
there; one number that falls alone is wrong itself. Sums of seconds are no proof at all."""


def restarted(before: Sample, after: Sample) -> str | None:
    """Why `after` is from another life of the engine than `before`; None if it goes on."""
    started, starts = before.process_start_s, after.process_start_s
    if started is not None and starts is not None and started != starts:
        return "the process started anew"
    if _rebucketed(before.bounds, after.bounds):
        return "the buckets of a histogram changed"
    if after.ranks > before.ranks > frozenset():
        return MORE_RANKS
    if (started is None or starts is None) and fell_together(before, after):
        return "its counters began anew"
    return None


def fell_together(before: Sample, after: Sample) -> bool:
    """Whether what any work moves has fallen, and none of it grown."""
    return _fell_together(before.counters, before.histograms, after)


def lost(before: Sample, after: Sample) -> str | None:
    """What `before` had, or had more series of, than `after`; None if nothing. What is left out of
    `after` on purpose is not lost."""
    for rank in sorted(before.ranks - after.ranks):
        return f"data-parallel engine {rank}"
    for group, now in (
        (before.counters, after.counters),
        (before.histograms, after.histograms),
        (before.gauges, after.gauges),
    ):
        for name, value in group.items():
            fewer = after.parts.get(name, 0) < before.parts.get(name, 0)
            missing = value is not None and now[name] is None and name not in after.doubts
            if fewer or missing:
                return before.sources.get(name, name)
    return None


def continues(last: Reading, bounds: Bounds, sample: Sample) -> bool:
    """Whether a run whose last stored reading is `last` can go on with `sample`."""
    counters = {name: last.values[name] for name in (*COUNTERS, *TOTALS)}
    if _rebucketed(bounds, sample.bounds):
        return False
    return not _fell_together(counters, last.histograms, sample)


def _rebucketed(before: Bounds, after: Bounds) -> bool:
    old_bounds, new_bounds = before.by_histogram, after.by_histogram
    return any(
        old_bounds[name] != new_bounds[name] for name in old_bounds.keys() & new_bounds.keys()
    )


def _fell_together(
    counters: Mapping[str, int | None],
    histograms: Mapping[str, Histogram | None],
    after: Sample,
) -> bool:
    pairs = [(counters.get(name), after.counters[name]) for name in _PROOF]
    latencies, now = histograms.get("e2e"), after.histograms["e2e"]
    if latencies is not None and now is not None:
        pairs.append((latencies.count, now.count))
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    fallen = sum(new < old for old, new in known)
    return fallen > min(1, len(known) - 1) and all(new <= old for old, new in known)
