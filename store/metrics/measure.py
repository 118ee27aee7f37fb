"""A window's metrics by their contract names.

Rates divide counters by the wall time they were counted over; means of gauges divide by the time
somebody watched. A ratio over nothing is None: an idle window has no cost per request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from store.metrics.amounts import Amounts, amounts
from store.metrics.prices import PriceBook
from store.metrics.quantiles import LessThan, MoreThan, quantile
from store.metrics.specs import METRICS, SPECS, MetricSpec

if TYPE_CHECKING:
    from store.windows.window import HistogramWindow, Window

__all__ = ["METRICS", "SPECS", "MetricSpec", "MetricValue", "measure", "metrics", "to_json"]

_ROUNDED_SHARE = 1.01

MetricValue = int | float | LessThan | MoreThan | None


def metrics(window: Window, prices: PriceBook) -> dict[str, MetricValue]:
    """Every metric of a window, in the order of `METRICS`. Units are those of the specs: seconds,
    USD, bytes, joules, shares 0..1."""
    return measure(amounts(window, prices), window.maxima, window.histograms)


def measure(
    sums: Amounts,
    maxima: Mapping[str, int | None],
    histograms: Mapping[str, HistogramWindow | None],
) -> dict[str, MetricValue]:
    """Every metric out of a window's amounts, maxima and histograms (or their sums)."""
    return {spec.name: _value(spec, sums, maxima, histograms) for spec in METRICS}


def to_json(value: MetricValue) -> int | float | None:
    """A value as JSON: a number, or null where it is unknown or known only to lie beyond a bound,
    which `bound_json` tells: an object would compare as larger than any number."""
    return None if isinstance(value, LessThan | MoreThan) else value


def bound_json(value: MetricValue) -> dict[str, float] | None:
    """{"lt": s} or {"gt": s} for a value known only to lie beyond a bound, else None."""
    if isinstance(value, LessThan):
        return {"lt": value.seconds}
    return {"gt": value.seconds} if isinstance(value, MoreThan) else None


def bounds_json(values: Mapping[str, MetricValue]) -> dict[str, dict[str, float]]:
    """The bounds of all values that are known only to lie beyond one, by name."""
    return {name: bound for name, value in values.items() if (bound := bound_json(value))}


def _value(
    spec: MetricSpec,
    sums: Amounts,
    maxima: Mapping[str, int | None],
    histograms: Mapping[str, HistogramWindow | None],
) -> MetricValue:
    if spec.kind == "percentile":
        histogram = histograms.get(spec.over)
        return None if histogram is None else quantile(histogram, spec.q)
    if spec.kind == "maximum":
        value: int | float | None = maxima.get(spec.over)
        return value if value is None or spec.scale == 1 else value * spec.scale
    value = sums.get(spec.over)
    if spec.kind == "total" or value is None:
        return value
    ratio = _ratio(spec.scale * value, sums.get(spec.per))
    if ratio is None or spec.style != "share" or ratio <= 1:
        return ratio
    # Milliseconds are rounded down on both sides; what is more than that cannot be a share.
    return 1.0 if ratio <= _ROUNDED_SHARE else None


def _ratio(over: float, per: int | float | None) -> float | None:
    if per is None or per <= 0:
        return None
    ratio = over / per
    return ratio if math.isfinite(ratio) else None
