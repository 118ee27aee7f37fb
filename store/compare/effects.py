"""One metric in two windows: the values, their difference and ratio, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from store.compare.bootstrap import Interval, Resamples, difference_interval, ratio_interval
from store.compare.sides import Side
from store.compare.spreads import number, spread
from store.metrics.measure import MetricValue, bounds_json, to_json
from store.metrics.quantiles import LessThan, MoreThan
from store.metrics.specs import MetricSpec

Verdict = Literal["better", "worse", "no difference shown", "not comparable", "too few blocks"]

MIN_BLOCKS = 5
"""Fewer blocks than this on either side give neither an interval nor a verdict."""

_ROUNDING = 1e-9
"""A difference under this part of the values is arithmetic, not an effect."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A metric before (`a`) and after (`b`). `difference` is b - a, `ratio` b ÷ a; `interval` is
    the 95 % interval of the difference, `ratio_interval` that of the ratio. What is not known is
    None; `verdict` is None where the metric has no direction or nothing can be said."""

    a: MetricValue
    b: MetricValue
    difference: float | None
    ratio: float | None
    interval: Interval | None
    ratio_interval: Interval | None
    blocks: tuple[int, int]
    verdict: Verdict | None

    def to_json(self) -> dict[str, object]:
        """The effect as JSON. `interval` is [low, high] of the difference."""
        return {
            "a": to_json(self.a),
            "b": to_json(self.b),
            "bounds": bounds_json({"a": self.a, "b": self.b}),
            "difference": self.difference,
            "ratio": self.ratio,
            "interval": None if self.interval is None else list(self.interval),
            "ratio_interval": None if self.ratio_interval is None else list(self.ratio_interval),
            "blocks": list(self.blocks),
            "verdict": self.verdict,
        }


def effect(
    spec: MetricSpec,
    a: Side,
    b: Side,
    resamples: tuple[Resamples, Resamples] | None,
    comparable: bool,
) -> Effect:
    """The effect on one metric. `resamples` is None under `MIN_BLOCKS`; where the workload is not
    `comparable` the interval stands and the verdict does not."""
    before, after = a.values.get(spec.name), b.values.get(spec.name)
    blocks = (len(a.parts), len(b.parts))
    if before is None or after is None:
        return Effect(before, after, None, None, None, None, blocks, None)
    low, high = number(before), number(after)
    interval = by_ratio = None
    if resamples is not None and not _both_beyond_a_bound(before, after):
        spreads = spread(spec, a, resamples[0]), spread(spec, b, resamples[1])
        if spreads[0] is not None and spreads[1] is not None:
            interval = difference_interval(low, high, spreads[0], spreads[1], resamples)
            by_ratio = ratio_interval(low, high, spreads[0], spreads[1], resamples)
    verdict = _verdict(spec, interval, max(low, high), resamples is not None, comparable)
    if isinstance(before, LessThan | MoreThan) or isinstance(after, LessThan | MoreThan):
        return Effect(before, after, None, None, None, None, blocks, verdict)
    ratio = high / low if low > 0 else None
    return Effect(before, after, high - low, ratio, interval, by_ratio, blocks, verdict)


def _both_beyond_a_bound(a: MetricValue, b: MetricValue) -> bool:
    return any(isinstance(a, kind) and isinstance(b, kind) for kind in (LessThan, MoreThan))


def _verdict(
    spec: MetricSpec, interval: Interval | None, size: float, enough_blocks: bool, comparable: bool
) -> Verdict | None:
    if spec.better is None:
        return None
    if not comparable:
        return "not comparable"
    if not enough_blocks:
        return "too few blocks"
    if interval is None:
        return None
    if interval[0] > _ROUNDING * size:
        return "better" if spec.better == "higher" else "worse"
    if interval[1] < -_ROUNDING * size:
        return "better" if spec.better == "lower" else "worse"
    return "no difference shown"
