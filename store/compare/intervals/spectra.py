"""The shapes that the noise of a window's values may have, as spectra at low frequencies.

A second's value depends on the seconds before it: queues empty, users come in bursts, batches end
together. How far a mean over T seconds wanders is the noise's power at frequency zero, which no
window shows; it is told from the lowest frequencies that it does show, by the shapes that such
noise has: white noise, and beside it a part that forgets exponentially with time τ,

    g(ω) = w + B / (1 + (ωτ)²)         B from none to all of it, τ from 1.5 to 40 s

(an AR(1) process seen with noise). Müller and Watson, "Measuring uncertainty about long-run
predictions", Review of Economic Studies 83 (2016), reason so from a window's lowest cosine
weights; theirs are the ones used here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TAUS = np.exp(np.linspace(math.log(1.5), math.log(40.0), 9))
"""Correlation times in seconds."""

_LEVELS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Power at frequency zero of the part that forgets, beside white noise of 1."""

_WHITE_WEIGHT = 2.0
"""Weight beforehand of white noise alone, where each level has 1."""

_LONG = 0.6
"""A correlation time longer than this part of a window is all but a trend in it; the longer, the
less it is believed beforehand (by the cube), since nothing in the window speaks against it."""

_BAND = 1.0
"""The highest frequency looked at, in radians a second: what is faster than 6 s (waves of a
batch) says nothing about the mean."""

_FEWEST, _MOST = 8, 48
"""Cosine weights looked at, whatever the band holds."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """What each shape expects of a window of T seconds, all relative to the white part (or, without
    one, to the whole): `power` (shapes, weights) of each cosine weight, `of_mean` (shapes) of the
    mean times √T. `log_prior` (shapes) is what is believed beforehand."""

    power: Floats
    of_mean: Floats
    log_prior: Floats

    @property
    def weights(self) -> int:
        """How many cosine weights are looked at."""
        return int(self.power.shape[1])


def weights_of(blocks: int, seconds: float) -> int:
    """How many cosine weights of a window are looked at: those below `_BAND`."""
    within_band = math.floor(seconds * _BAND / math.pi)
    return min(blocks - 1, _MOST, max(_FEWEST, within_band))


@lru_cache(maxsize=16)
def shapes(seconds: float, weights: int) -> Shapes:
    """The shapes as a window of so many seconds shows them in its first `weights` weights."""
    forgetting = _forgetting_power(seconds, weights)
    of_mean = _forgetting_power_of_mean(seconds)
    power = [np.ones((1, weights))]
    means = [np.ones(1)]
    priors = [np.array([_WHITE_WEIGHT])]
    prior = _tau_prior(seconds)
    for level in (*_LEVELS, math.inf):
        white, part = (1.0, level) if math.isfinite(level) else (0.0, 1.0)
        power.append(white + part * forgetting)
        means.append(white + part * of_mean)
        priors.append(prior)
    all_priors = np.concatenate(priors)
    return Shapes(
        np.concatenate(power),
        np.concatenate(means),
        np.log(all_priors / all_priors.sum()),
    )


def _tau_prior(seconds: float) -> Floats:
    prior = np.sqrt(_TAUS)
    prior /= prior.sum()
    return np.asarray(prior * np.minimum(1.0, (_LONG * seconds / _TAUS)) ** 3)


def _forgetting_power(seconds: float, weights: int) -> Floats:
    """E[c²] of the cosine weights of a process with autocovariance exp(-|t|/τ), over its power at
    frequency zero (2τ); (τ, weights). Exact for a window of T seconds: with a = 1/τ, ω = πk/T,

        E[c²] = 2a/(a² + ω²) - 4a² (1 - (-1)^k e^(-aT)) / (T (a² + ω²)²)
    """
    rate = 1 / _TAUS[:, None]
    order = np.arange(1, weights + 1)[None, :]
    denominator = rate**2 + (math.pi * order / seconds) ** 2
    ends = 1 - (-1.0) ** order * np.exp(-rate * seconds)
    power = 2 * rate / denominator - 4 * rate**2 * ends / (seconds * denominator**2)
    return np.asarray(power * rate / 2)


def _forgetting_power_of_mean(seconds: float) -> Floats:
    """T · variance of the mean of the same process, over its power at frequency zero; (τ,)."""
    share = _TAUS / seconds
    return np.asarray(1 - share * (1 - np.exp(-1 / share)))
