"""An interval on the logarithm that is as lopsided as sums of positive things make it.

How little is known of a sum that was small and came in clusters goes one way: it may be next to
nothing in the long run, but not many times as much. So its logarithm reaches down by as much as its
relative error t says, and up by no more than on the scale of the square root, on which counts have
an error of one size whatever their level: 2 ln(1 + t/2). In a divisor it is the other way round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Spread:
    """A side's error: its `variance` on the logarithm, and how much of it its divisor makes."""

    variance: float
    share_of_divisor: float


def lopsided(difference: float, half_width: float, a: Spread, b: Spread) -> Interval:
    """The interval of ln(b / a) around `difference`, whose error reaches `half_width` on a scale
    that is even."""
    total = a.variance + b.variance
    if total <= 0:
        return (difference - half_width, difference + half_width)
    reach_a, reach_b = (half_width * math.sqrt(side.variance / total) for side in (a, b))
    return (
        difference - math.hypot(_down(reach_b, b), _up(reach_a, a)),
        difference + math.hypot(_up(reach_b, b), _down(reach_a, a)),
    )


def _up(reach: float, side: Spread) -> float:
    return _mixed(_limited(reach), reach, side.share_of_divisor)


def _down(reach: float, side: Spread) -> float:
    return _mixed(reach, _limited(reach), side.share_of_divisor)


def _mixed(of_sum: float, of_divisor: float, share_of_divisor: float) -> float:
    return (1 - share_of_divisor) * of_sum + share_of_divisor * of_divisor


def _limited(reach: float) -> float:
    return 2 * math.log1p(reach / 2)
