"""Where the parts of one histogram stand on a page, and their sum over its series.

A server with several engines (or models) has one series each. Their buckets are cumulative over the
bounds, so counts at the bounds that all of them have add up exactly. Of more bounds than the ledger
has slots, `BUCKET_SLOTS` are kept, evenly by position and always the first and the last: dropping a
bound merges its bucket into the next and loses resolution, not truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from engines.metrics_page.errors import NotMetrics
from engines.metrics_page.numbers import Doubtful, whole
from engines.metrics_page.parse import Series
from store.reading_columns import BUCKET_SLOTS


@dataclass(slots=True)
class _Parts:
    """Indices of the parts of one series of a histogram."""

    buckets: dict[float, int] = field(default_factory=dict)
    sums: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HistogramLayout:
    """The finite bounds kept, and the indices of what is to be read.

    `ladders` has per series the indices of all its buckets in ascending order, +Inf last, and the
    index of its count; `buckets` has per kept bound the indices of its buckets over the series.
    """

    name: str
    bounds: tuple[float, ...]
    ladders: tuple[tuple[tuple[int, ...], int], ...]
    buckets: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    sums: tuple[int, ...]

    def read_counts(self, values: Sequence[float]) -> tuple[int, tuple[int, ...]]:
        """The merged count and buckets; raises `Doubtful` if a series contradicts itself."""
        for ladder, count in self.ladders:
            previous = 0.0
            for index in ladder:
                if not values[index] >= previous:
                    raise Doubtful("contradicts itself: its buckets do not add up")
                previous = values[index]
            if previous != values[count]:
                raise Doubtful("contradicts itself: its count and buckets differ")
        cumulative = [whole(values, indices) for indices in self.buckets]
        buckets = tuple(
            upper - lower for upper, lower in zip(cumulative, [0, *cumulative[:-1]], strict=True)
        )
        return whole(values, self.counts), buckets


def layout_of(name: str, series: Sequence[Series]) -> HistogramLayout | None:
    """Where histogram `name` stands on a page; None where it does not, or only in part."""
    groups: dict[tuple[tuple[str, str], ...], _Parts] = {}
    for index, sample in enumerate(series):
        if not sample.name.startswith(name):
            continue
        suffix = sample.name[len(name) :]
        if suffix not in ("_bucket", "_sum", "_count"):
            continue
        labels = tuple(pair for pair in sample.labels if pair[0] != "le")
        parts = groups.setdefault(labels, _Parts())
        if suffix == "_bucket":
            parts.buckets[_bound(sample, name)] = index
        else:
            (parts.sums if suffix == "_sum" else parts.counts).append(index)
    if not groups:
        return None
    for parts in groups.values():
        if math.inf not in parts.buckets or len(parts.sums) != 1 or len(parts.counts) != 1:
            return None
    shared = set.intersection(*(set(parts.buckets) for parts in groups.values())) - {math.inf}
    bounds = thinned(tuple(sorted(shared)))
    return HistogramLayout(
        name=name,
        bounds=bounds,
        ladders=tuple(
            (tuple(parts.buckets[bound] for bound in sorted(parts.buckets)), parts.counts[0])
            for parts in groups.values()
        ),
        buckets=tuple(tuple(parts.buckets[bound] for parts in groups.values()) for bound in bounds),
        counts=tuple(parts.counts[0] for parts in groups.values()),
        sums=tuple(parts.sums[0] for parts in groups.values()),
    )


def thinned(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """At most `BUCKET_SLOTS` of the bounds, evenly by position, with the first and the last."""
    surplus = len(bounds) - BUCKET_SLOTS
    if surplus <= 0:
        return bounds
    step = (len(bounds) - 1) / (BUCKET_SLOTS - 1)
    return tuple(bounds[round(slot * step)] for slot in range(BUCKET_SLOTS))


def _bound(series: Series, name: str) -> float:
    try:
        bound = float(series.label("le") or "")
    except ValueError:
        raise NotMetrics(f"{name}: a bucket without a bound") from None
    if math.isnan(bound):
        raise NotMetrics(f"{name}: a bucket without a bound")
    return bound
