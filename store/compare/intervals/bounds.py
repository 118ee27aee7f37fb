"""From the variances of an error to an interval: at one look, or at every look.

An interval that is looked at once may exclude the truth in one case of twenty. One that is looked
at each second excludes it, sooner or later, far more often. What is watched therefore gets an
interval that holds the truth at *every* look at once: Robbins' normal mixture ("Statistical methods
related to the law of the iterated logarithm", Annals of Mathematical Statistics 41, 1970), as an
asymptotic confidence sequence (Howard et al., Annals of Statistics 49, 2021; Waudby-Smith et al.,
Annals of Statistics 52, 2024). For an error e of variance V it ends where the evidence against it,
averaged over effects of prior variance w of several sizes, reaches 1/alpha:

    mean over w of  sqrt(V / (V + w)) * exp(e² w / (2 V (V + w)))  =  1 / alpha

The error of a difference whose second window grows has independent steps in the information 1/V, as
a sequential trial has, whatever the first window's error is.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from store.compare.intervals.long_run import Variances
from store.compare.intervals.spectra import Floats

_EFFECTS = ((0.1, 0.499), (0.3, 0.499), (1.0, 0.002))
"""Sizes of effect (of logarithms) for which the bound that holds at every look is narrow, and the
weight of each. Much weight on large ones would believe the first seconds of bursts."""

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
    return _every_look(effective_variance(error, alpha), alpha, unit)


def _every_look(variance: float, alpha: float, unit: float) -> float:
    if variance <= 0:
        return 0.0
    priors = [((effect * unit) ** 2, weight) for effect, weight in _EFFECTS]
    low, high = 0.0, 8 * math.sqrt(variance)
    while _evidence(high, variance, priors) < math.log(1 / alpha):
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _evidence(middle, variance, priors) < math.log(1 / alpha):
            low = middle
        else:
            high = middle
    return high


def _evidence(error: float, variance: float, priors: list[tuple[float, float]]) -> float:
    """The logarithm of the evidence that an error is none but an effect."""
    logs = [
        math.log(weight)
        + math.log(variance / (variance + prior)) / 2
        + error**2 * prior / (2 * variance * (variance + prior))
        for prior, weight in priors
    ]
    highest = max(logs)
    return highest + math.log(sum(math.exp(log - highest) for log in logs))


def effective_variance(error: Variances, alpha: float) -> float:
    """The variance of the normal error that reaches as far as this one at `alpha`."""
    return (half_width(error, alpha) / normal_quantile(alpha)) ** 2


def variance_reaching(width: float, alpha: float, unit: float = 1.0) -> float:
    """The variance at which `half_width_at_every_look` would be `width`: what must be reached."""
    low, high = 0.0, width**2
    for _ in range(_HALVINGS):
        variance = (low + high) / 2
        if _every_look(variance, alpha, unit) < width:
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
