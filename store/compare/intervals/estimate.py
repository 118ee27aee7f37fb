"""The difference of a metric between two windows, with the interval that its noise allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.compare.intervals import bounds
from store.compare.intervals.influence import (
    Sums,
    on_logarithm,
    on_value,
    share_of_divisor,
    sums_of,
)
from store.compare.intervals.long_run import (
    Noise,
    Variances,
    error_of,
    error_of_difference,
    noise_of,
)
from store.compare.intervals.percentile import Distribution, distribution_of, log_ratio, reach
from store.compare.intervals.skew import Interval, Spread, lopsided
from store.metrics.specs import MetricSpec

if TYPE_CHECKING:
    from store.compare.sides.side import Side


_MOST_VARIANCE = 1.0
"""Of the logarithm of a window's sum of positive things: all of it in one cluster, which might have
come or not. A trend in a window says no more."""


@dataclass(frozen=True, slots=True)
class Certainty:
    """How sure an interval is to be: it misses the truth in a share `alpha` of cases, at the one
    look that is taken or, `at_every_look`, at any of however many."""

    alpha: float
    at_every_look: bool = False

    def half_width(self, error: Variances, unit: float = 1.0) -> float:
        """How far an error reaches; `unit` is the size of a whole effect."""
        if self.at_every_look:
            return bounds.half_width_at_every_look(error, self.alpha, unit)
        return bounds.half_width(error, self.alpha)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference b - a (of logarithms where `is_log`) and the interval around it.

    `variances` are those of each side's error, for telling how long a verdict will take; `reach` is
    how far the interval reaches on its wider side: the smallest effect that could have been shown.
    """

    difference: float
    interval: Interval
    is_log: bool
    variances: tuple[float, float]

    @property
    def reach(self) -> float:
        """The smallest effect that could have been shown, on the estimate's scale."""
        return max(self.interval[1] - self.difference, self.difference - self.interval[0])

    def widened(self, factor: float) -> Estimate:
        """The same with an interval so many times as wide."""
        low, high = (self.difference + factor * (end - self.difference) for end in self.interval)
        return Estimate(self.difference, (low, high), self.is_log, self.variances)


def estimate(spec: MetricSpec, a: Side, b: Side, certainty: Certainty) -> Estimate | None:
    """What `b` differs from `a` by in one metric. None where the metric is no function of the
    blocks' sums (a maximum, a total), or where blocks do not tell it."""
    if spec.kind == "ratio":
        return _ratio(spec, a, b, certainty)
    if spec.kind == "percentile":
        return _percentile(spec, a, b, certainty)
    return None


def _ratio(spec: MetricSpec, a: Side, b: Side, certainty: Certainty) -> Estimate | None:
    sums_a, sums_b = (
        sums_of([part[spec.over] for part in side.parts], [part[spec.per] for part in side.parts])
        for side in (a, b)
    )
    if sums_a is None or sums_b is None:
        return None
    if not spec.is_difference and sums_a.can_be_logged and sums_b.can_be_logged:
        difference = math.log(_value(spec, sums_b) / _value(spec, sums_a))
        seconds = (a.blocks.seconds, b.blocks.seconds)
        return of_logarithm(difference, (sums_a, sums_b), seconds, certainty)
    noises = [
        noise_of(spec.scale * on_value(sums), side.blocks.seconds)
        for sums, side in ((sums_a, a), (sums_b, b))
    ]
    before, after = _value(spec, sums_a), _value(spec, sums_b)
    unit = 1.0 if spec.style == "share" else max(abs(before), abs(after))
    difference = after - before
    half_width = certainty.half_width(error_of_difference(*noises), unit)
    interval = (difference - half_width, difference + half_width)
    return Estimate(difference, interval, False, _variances(noises, certainty))


def of_logarithm(
    difference: float, sums: tuple[Sums, Sums], seconds: tuple[float, float], certainty: Certainty
) -> Estimate:
    """The estimate of a `difference` of logarithms, given both sides' sums block by block and how
    long each side is."""
    noises = [
        noise_of(on_logarithm(each), length) for each, length in zip(sums, seconds, strict=True)
    ]
    error = error_of_difference(*noises).at_most(2 * _MOST_VARIANCE)
    half_width = certainty.half_width(error)
    variance_a, variance_b = _variances(noises, certainty)
    variances = (min(variance_a, _MOST_VARIANCE), min(variance_b, _MOST_VARIANCE))
    spreads = (
        Spread(variance, share_of_divisor(each))
        for variance, each in zip(variances, sums, strict=True)
    )
    return Estimate(difference, lopsided(difference, half_width, *spreads), True, variances)


def _variances(noises: list[Noise], certainty: Certainty) -> tuple[float, float]:
    variance_a, variance_b = (
        bounds.effective_variance(error_of(noise), certainty.alpha) for noise in noises
    )
    return variance_a, variance_b


def _value(spec: MetricSpec, sums: Sums) -> float:
    return float(spec.scale * sums.over.sum() / sums.per.sum())


def _percentile(spec: MetricSpec, a: Side, b: Side, certainty: Certainty) -> Estimate | None:
    sides = [(distribution_of(side.blocks.kept, spec.over), side) for side in (a, b)]
    reaches = []
    for distribution, side in sides:
        if distribution is None:
            return None
        width = _share_error(distribution, spec.q, side, certainty.alpha)
        reaches.append((distribution, width, reach(distribution, spec.q, width)))
    (_, _, before), (_, _, after) = reaches
    low, high = log_ratio(before, after)
    difference = after.value - before.value
    quantile = bounds.normal_quantile(certainty.alpha)
    variances = [((each.high - each.low) / 2 / quantile) ** 2 for _, _, each in reaches]
    if certainty.at_every_look and sum(variances) > 0:
        wider = Variances.of(sum(variances))
        factor = certainty.half_width(wider) / (quantile * math.sqrt(sum(variances)))
        before, after = (
            reach(distribution, spec.q, factor * width) for distribution, width, _ in reaches
        )
        low, high = log_ratio(before, after)
    return Estimate(difference, (low, high), True, (variances[0], variances[1]))


def _share_error(distribution: Distribution, q: float, side: Side, alpha: float) -> float:
    influence = distribution.share_influence(distribution.quantile(q))
    return bounds.half_width(error_of(noise_of(influence, side.blocks.seconds)), alpha)
