"""One metric in two windows: the values, their difference and ratio, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from store.compare.drift import Drift
from store.compare.intervals.estimate import Certainty, Estimate, estimate
from store.compare.intervals.skew import Interval
from store.compare.sides.side import Side
from store.metrics.measure import MetricValue, bounds_json, to_json
from store.metrics.quantiles import LessThan, MoreThan
from store.metrics.specs import MetricSpec

Verdict = Literal["better", "worse", "no difference shown", "not comparable", "too few blocks"]

_ROUNDING = 1e-9
"""A difference under this part of the values, or a ratio so near to 1, is arithmetic."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A metric before (`a`) and after (`b`). `difference` is b - a, `ratio` b ÷ a; `interval` is
    the interval of the difference, `ratio_interval` that of the ratio, both at `level`.
    `could_show` is the smallest effect that these windows could have shown: a ratio above 1 where
    the metric is compared as a ratio (then it stands for its inverse, too), else a difference.

    What is not known is None; `verdict` is None where the metric has no direction or nothing can be
    said.
    """

    a: MetricValue
    b: MetricValue
    difference: float | None = None
    ratio: float | None = None
    interval: Interval | None = None
    ratio_interval: Interval | None = None
    level: float | None = None
    could_show: float | None = None
    blocks: tuple[int, int] = (0, 0)
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, object]:
        """The effect as JSON. `interval` is [low, high] of the difference."""
        is_ratio = self.ratio_interval is not None
        return {
            "a": to_json(self.a),
            "b": to_json(self.b),
            "bounds": bounds_json({"a": self.a, "b": self.b}),
            "difference": self.difference,
            "ratio": self.ratio,
            "interval": None if self.interval is None else list(self.interval),
            "ratio_interval": None if self.ratio_interval is None else list(self.ratio_interval),
            "level": self.level,
            "could_show": None
            if self.could_show is None
            else {"ratio" if is_ratio else "difference": self.could_show},
            "blocks": list(self.blocks),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Terms:
    """How a metric is judged: how sure an interval is to be, what is known of how untouched windows
    differ, and whether a verdict may be spoken at all (`is_comparable`)."""

    certainty: Certainty
    drift: Drift | None = None
    is_comparable: bool = True


def effect(spec: MetricSpec, a: Side, b: Side, terms: Terms) -> tuple[Effect, Estimate | None]:
    """The effect on one metric, and the estimate it comes from. Where the workload is not
    comparable the interval stands and the verdict does not."""
    before, after = a.values.get(spec.name), b.values.get(spec.name)
    blocks = (len(a.parts), len(b.parts))
    if before is None or after is None:
        return Effect(before, after, blocks=blocks), None
    is_enough = a.is_enough and b.is_enough
    estimated = None
    if is_enough and not _both_beyond_a_bound(before, after):
        estimated = estimate(spec, a, b, terms.certainty)
        if estimated is not None and terms.drift is not None:
            estimated = estimated.widened(terms.drift.widening(spec.name, estimated))
    negligible = _ROUNDING * max(_number(before), _number(after))
    if estimated is not None and estimated.is_log:
        negligible = _ROUNDING
    verdict = _verdict(spec, estimated, negligible, is_enough if terms.is_comparable else None)
    if isinstance(before, LessThan | MoreThan) or isinstance(after, LessThan | MoreThan):
        return Effect(before, after, blocks=blocks, verdict=verdict), estimated
    ratio = after / before if before > 0 else None
    difference = _beyond_rounding(after - before, before, after)
    plain = Effect(before, after, difference, ratio, blocks=blocks, verdict=verdict)
    if estimated is None:
        return plain, None
    return _with_intervals(plain, before, after, estimated, 1 - terms.certainty.alpha), estimated


def _with_intervals(
    plain: Effect, before: float, after: float, estimated: Estimate, level: float
) -> Effect:
    low, high = estimated.interval
    by_ratio, could_show = None, estimated.reach
    if estimated.is_log:
        mean = _logarithmic_mean(before, after)
        by_ratio, could_show = (_exp(low), _exp(high)), _exp(estimated.reach)
        low, high = mean * low, mean * high
    low, high = (_beyond_rounding(end, before, after) for end in (low, high))
    return Effect(
        plain.a,
        plain.b,
        plain.difference,
        plain.ratio,
        (low, high),
        by_ratio,
        level,
        could_show,
        plain.blocks,
        plain.verdict,
    )


def _logarithmic_mean(a: float, b: float) -> float:
    """(b - a) / ln(b / a): what turns the logarithm of a ratio into a difference, the same from
    either side."""
    if a <= 0 or b <= 0:
        return max(a, b, 0.0)
    return a if math.isclose(a, b, rel_tol=_ROUNDING) else (b - a) / math.log(b / a)


def _beyond_rounding(difference: float, a: float, b: float) -> float:
    return difference if abs(difference) > _ROUNDING * max(abs(a), abs(b)) else 0.0


def _exp(logarithm: float) -> float:
    return math.exp(min(logarithm, 700.0))


def _both_beyond_a_bound(a: MetricValue, b: MetricValue) -> bool:
    return any(isinstance(a, kind) and isinstance(b, kind) for kind in (LessThan, MoreThan))


def _number(value: float | LessThan | MoreThan) -> float:
    return value.seconds if isinstance(value, LessThan | MoreThan) else float(value)


def _verdict(
    spec: MetricSpec, estimated: Estimate | None, negligible: float, is_enough: bool | None
) -> Verdict | None:
    """`is_enough` is None where the windows are not comparable."""
    if spec.better is None:
        return None
    if is_enough is None:
        return "not comparable"
    if not is_enough:
        return "too few blocks"
    if estimated is None:
        return None
    low, high = estimated.interval
    if low > negligible:
        return "better" if spec.better == "higher" else "worse"
    if high < -negligible:
        return "better" if spec.better == "lower" else "worse"
    return "no difference shown"
