"""How far the means of two windows may lie from their long-run values.

For each shape of the noise (`spectra`) its power follows from the window's cosine weights, with as
many degrees of freedom as there are weights; shapes count by how well they explain the weights.
So the error of a mean is a mixture of normal ones, whose variances are given here as points with
weights. The noise of two windows may have one shape or two: both are weighed by their evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from store.compare.intervals.spectra import Floats, Shapes, shapes, weights_of

_ONE_SHAPE = 0.5
"""Believed beforehand: that the noise of both windows has the same shape."""

_POINTS = 24
"""Points that a distribution of variances is kept as."""

_CHI_POINTS = 32
_LEAST_WEIGHT = 1e-4
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Noise:
    """What a window's noise looks like: for each of its `shapes` the log-likelihood of its cosine
    weights and the power of its white part. `seconds` is the window's length."""

    shapes: Shapes
    log_likelihood: Floats
    power: Floats
    seconds: float


@dataclass(frozen=True, slots=True)
class Variances:
    """A distribution of variances: points and their weights, which sum to 1."""

    points: Floats
    weights: Floats

    @classmethod
    def of(cls, variance: float) -> Variances:
        """One variance that is known."""
        return cls(np.array([variance]), np.ones(1))

    def at_most(self, limit: float) -> Variances:
        """The same, with none above a limit."""
        return Variances(np.minimum(self.points, limit), self.weights)

    @property
    def largest(self) -> float:
        """The largest point."""
        return float(self.points.max())


def noise_of(influence: Floats, seconds: float) -> Noise:
    """The noise of a window of so many seconds, given block by block what each adds to the error
    (`influence`: eight numbers around 0 or more, in units of the value)."""
    blocks = len(influence)
    count = weights_of(blocks, seconds)
    cosines = _cosines(blocks, count) @ influence * math.sqrt(seconds / blocks)
    shape = shapes(seconds, count)
    squares = (cosines**2 / shape.power).sum(axis=1)
    likelihood = -0.5 * np.log(shape.power).sum(axis=1) - count / 2 * np.log(squares + _TINY)
    return Noise(shape, likelihood, squares / count, seconds)


def error_of_difference(a: Noise, b: Noise) -> Variances:
    """The variances that the error of the difference of two windows' means may have."""
    prior_a, prior_b = a.shapes.log_prior, b.shapes.log_prior
    apart = _sum(
        _mean_error(a, a.log_likelihood + prior_a), _mean_error(b, b.log_likelihood + prior_b)
    )
    both = a.log_likelihood + b.log_likelihood + (prior_a + prior_b) / 2
    together = _sum(_mean_error(a, both), _mean_error(b, both))
    evidence_apart = _log_sum(a.log_likelihood + prior_a) + _log_sum(b.log_likelihood + prior_b)
    odds = (1 - _ONE_SHAPE) / _ONE_SHAPE * math.exp(min(700.0, evidence_apart - _log_sum(both)))
    share = 1 / (1 + odds)
    return Variances(
        np.concatenate((together.points, apart.points)),
        np.concatenate((share * together.weights, (1 - share) * apart.weights)),
    )


def error_of(noise: Noise) -> Variances:
    """The variances that the error of one window's mean may have."""
    return _mean_error(noise, noise.log_likelihood + noise.shapes.log_prior)


def _mean_error(noise: Noise, log_weight: Floats) -> Variances:
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    likely = weight > _LEAST_WEIGHT
    of_mean = noise.shapes.of_mean[likely] * noise.power[likely] / noise.seconds
    spread = _inverse_chi_square(noise.shapes.weights)
    points = (of_mean[:, None] * spread[None, :]).ravel()
    weights = (weight[likely][:, None] * np.ones_like(spread)[None, :]).ravel()
    return _gathered(points, np.asarray(weights / weights.sum()))


def _gathered(points: Floats, weights: Floats) -> Variances:
    """The same distribution in `_POINTS` points, each the mean of an equal part of the weight."""
    order = np.argsort(points)
    points, weights = points[order], weights[order]
    middle = np.cumsum(weights) - weights / 2
    place = np.minimum(middle * _POINTS, _POINTS - 1).astype(np.int64)
    mass = np.bincount(place, weights, _POINTS)
    moment = np.bincount(place, weights * points, _POINTS)
    full = mass > 0
    return Variances(
        np.asarray(moment[full] / mass[full]), np.asarray(mass[full], dtype=np.float64)
    )


def _sum(a: Variances, b: Variances) -> Variances:
    return Variances(
        (a.points[:, None] + b.points[None, :]).ravel(),
        (a.weights[:, None] * b.weights[None, :]).ravel(),
    )


def _log_sum(logs: Floats) -> float:
    highest = float(logs.max())
    return highest + math.log(float(np.exp(logs - highest).sum()))


@lru_cache(maxsize=16)
def _cosines(blocks: int, count: int) -> Floats:
    """Orthonormal cosines over the blocks, (count, blocks)."""
    order = np.arange(1, count + 1)[:, None]
    middle = (np.arange(blocks)[None, :] + 0.5) / blocks
    return np.asarray(math.sqrt(2 / blocks) * np.cos(math.pi * order * middle))


@lru_cache(maxsize=64)
def _inverse_chi_square(freedom: int) -> Floats:
    """freedom / χ² at the middles of equal parts of its distribution (Wilson and Hilferty 1931)."""
    parts = (np.arange(_CHI_POINTS) + 0.5) / _CHI_POINTS
    normal = np.array([NormalDist().inv_cdf(part) for part in parts])
    spread = 2 / (9 * freedom)
    cube_root = np.maximum(1 - spread + normal * math.sqrt(spread), 0.02)
    return np.asarray(1 / cube_root**3)
