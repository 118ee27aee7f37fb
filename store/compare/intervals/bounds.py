"""From the variances of an error to an interval: at one look, or at every look.

An interval that is looked at once may exclude the truth in one case of twenty. One that is looked
at each second excludes it, sooner or later, far more often. What is watched therefore gets an
interval that holds the truth at *every* look at once: Robbins' normal mixture ("Statistical methods
related to the law of the iterated logarithm", Annals of Mathematical Statistics 41, 1970), as an
asymptotic confidence sequence (Howard et al., Annals of Statistics 49, 2021; Waudby-Smith et al.,
Annals of Statistics 52, 2024). For an error of variance V, with prior variance w of the effect,

    half² = 2 V (V + w) / w · ln(√((V + w) / V) / alpha)

The error of a difference whose second window grows has independent steps in the information 1/V, as
a sequential trial has, whatever the first window's error is.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from store.compare.intervals.long_run import Variances
from store.compare.intervals.spectra import Floats

_EXPECTED_EFFECT = 0.25
"""The size of effect for which the bound that holds at every look is narrowest: a quarter."""

_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_HALVINGS = 40


def half_width(error: Variances, alpha: float) -> float:
    """How far the error reaches but in a share `alpha` of cases."""
    if error.largest <= 0:
        return 0.0
    spread = np.sqrt(2 * error.points)
    low, high = 0.0, 20 * float(spread.max())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(error.weights @ _erf(middle / spread)) < 1 - alpha:
            low = middle
        else:
            high = middle
    return high


def half_width_at_every_look(error: Variances, alpha: float, unit: float = 1.0) -> float:
    """How far the error reaches at any look, however many, but in a share `alpha` of cases.

    `unit` is the size of a whole effect: 1 on a logarithm or for a share, the value itself else.
    """
    variance = effective_variance(error, alpha)
    if variance <= 0:
        return 0.0
    prior = (_EXPECTED_EFFECT * unit) ** 2
    total = variance + prior
    return math.sqrt(2 * variance * total / prior * math.log(math.sqrt(total / variance) / alpha))


def effective_variance(error: Variances, alpha: float) -> float:
    """The variance of the normal error that reaches as far as this one at `alpha`."""
    return (half_width(error, alpha) / normal_quantile(alpha)) ** 2


def variance_reaching(width: float, alpha: float, unit: float = 1.0) -> float:
    """The variance at which `half_width_at_every_look` would be `width`: what must be reached."""
    prior = (_EXPECTED_EFFECT * unit) ** 2
    low, high = 0.0, width**2
    for _ in range(_HALVINGS):
        variance = (low + high) / 2
        total = variance + prior
        square = 2 * variance * total / prior * math.log(math.sqrt(total / variance) / alpha)
        if square < width**2:
            low = variance
        else:
            high = variance
    return low


def normal_quantile(alpha: float) -> float:
    """How many standard deviations a normal error exceeds, either way, in a share `alpha`."""
    return NormalDist().inv_cdf(1 - alpha / 2)


def _erf(x: Floats) -> Floats:
    """The error function of numbers above 0 to 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    t = 1 / (1 + 0.3275911 * x)
    polynomial = np.zeros_like(t)
    for coefficient in reversed(_ERF):
        polynomial = (polynomial + coefficient) * t
    return np.asarray(1 - polynomial * np.exp(-x * x))
