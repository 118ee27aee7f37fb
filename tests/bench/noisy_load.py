"""Made-up demand, second by second, as it comes in the field: what intervals are tried on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from store.compare.intervals.spectra import Floats

RATE = 5.0
"""Requests a second on average."""

Load = Callable[[np.random.Generator, int], Floats]
"""Requests finished in each of so many seconds."""


def wandering(correlation_s: float, noise: float = 0.5) -> Load:
    """Poisson arrivals at a rate that wanders: RATE · exp(AR(1)) with that correlation time."""

    def draw(random: np.random.Generator, seconds: int) -> Floats:
        phi = math.exp(-1 / correlation_s) if correlation_s > 0 else 0.0
        steps = random.normal(size=seconds)
        level = np.empty(seconds)
        level[0] = steps[0]
        for second in range(1, seconds):
            level[second] = phi * level[second - 1] + math.sqrt(1 - phi**2) * steps[second]
        return random.poisson(RATE * np.exp(noise * level)).astype(np.float64)

    return draw


def bursts(random: np.random.Generator, seconds: int) -> Floats:
    """Users who come in bursts: 10 s at 13 requests a second, 20 s at 1, on average."""
    is_on = random.random() < 1 / 3
    rates = np.empty(seconds)
    for second in range(seconds):
        if random.random() < (1 / 10 if is_on else 1 / 20):
            is_on = not is_on
        rates[second] = 13.0 if is_on else 1.0
    return random.poisson(rates).astype(np.float64)


def a_day(random: np.random.Generator, seconds: int) -> Floats:
    """A rate that rises and falls by half within a day, begun at any hour."""
    phase = (random.random() * 86_400 + np.arange(seconds)) / 86_400
    return random.poisson(RATE * (1 + 0.5 * np.sin(2 * np.pi * phase))).astype(np.float64)


def heavy_tails(random: np.random.Generator, seconds: int) -> Floats:
    """Eight clients that wait for each answer; answers take 0.5 s or, by a Pareto tail (2.2), far
    longer."""
    counts = np.zeros(seconds)
    warm_up = 100
    for _ in range(8):
        took = 0.5 * (1 + random.pareto(2.2, size=3 * (seconds + warm_up)))
        ends = np.cumsum(took) - warm_up
        ends = ends[(ends >= 0) & (ends < seconds)]
        counts += np.bincount(ends.astype(np.int64), minlength=seconds)
    return counts


LOADS: Mapping[str, Load] = {
    "steady": wandering(0),
    "wanders, 1.4 s": wandering(1.4),
    "wanders, 4.5 s": wandering(4.5),
    "wanders, 9.5 s": wandering(9.5),
    "wanders, 19.5 s": wandering(19.5),
    "bursts": bursts,
    "a day": a_day,
    "heavy tails": heavy_tails,
}
