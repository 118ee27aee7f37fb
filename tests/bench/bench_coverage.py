"""How often the 95 % intervals of a comparison hold the truth: a simulation, printed.

Requests arrive second by second as counts whose rate follows exp(AR(1) noise); seconds are summed
into 10 s blocks and go through the very functions `compare` uses. Two quantities are watched: cost
per request (a ratio of sums, with a true effect of 30 %) and a p95 out of merged buckets (no true
effect). The correlation time of the noise runs from none to two blocks.

    python -m tests.bench.bench_coverage [--runs 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from store.compare.bootstrap import (
    Floats,
    Resamples,
    difference_interval,
    quantiles,
    ratio_interval,
    ratios,
    resample,
)

BLOCKS = (5, 6, 8, 10, 12, 20, 30)
AR1 = (0.0, 0.5, 0.8, 0.9, 0.95)
SECONDS = 10
RATE, NOISE, EFFECT = 5.0, 0.5, 1.3
BOUNDS = np.array([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5])

Drawn = tuple[Resamples, Resamples]


def noise(random: np.random.Generator, runs: int, blocks: int, phi: float) -> Floats:
    """Stationary AR(1) of unit variance, (runs, blocks, seconds)."""
    steps = random.normal(size=(runs, blocks * SECONDS))
    found = np.empty_like(steps)
    found[:, 0] = steps[:, 0]
    for second in range(1, steps.shape[1]):
        found[:, second] = phi * found[:, second - 1] + np.sqrt(1 - phi**2) * steps[:, second]
    return found.reshape(runs, blocks, SECONDS)


def requests(
    random: np.random.Generator, runs: int, blocks: int, phi: float, rate: float
) -> Floats:
    """Requests per block: Poisson counts a second at a log-normal rate."""
    per_second = rate * np.exp(NOISE * noise(random, runs, blocks, phi))
    return np.asarray(random.poisson(per_second).sum(axis=2), dtype=np.float64)


def latencies(random: np.random.Generator, runs: int, blocks: int, phi: float) -> Floats:
    """Counts per bucket and block: 50 latencies a second around a median that wanders."""
    median = np.exp(0.3 * noise(random, runs, blocks, phi))[..., None]
    values = 0.1 * median * np.exp(0.6 * random.normal(size=(*median.shape[:3], 50)))
    slots = np.searchsorted(BOUNDS, values.reshape(runs, blocks, -1))
    return np.stack([(slots == slot).sum(axis=2) for slot in range(len(BOUNDS) + 1)], axis=2)


def cost_coverage(phi: float, blocks: int, runs: int, drawn: Drawn) -> tuple[float, float, float]:
    """Coverage of the difference and of the ratio; median width relative to the true difference."""
    random = np.random.default_rng((1, blocks, int(100 * phi)))
    before = requests(random, runs, blocks, phi, RATE)
    after = requests(random, runs, blocks, phi, RATE * EFFECT)
    mean = RATE * np.exp(NOISE**2 / 2)
    truth = 1 / (EFFECT * mean) - 1 / mean
    seconds = np.full(blocks, float(SECONDS))
    held, held_ratio, widths = 0, 0, []
    for a, b in zip(before, after, strict=True):
        values = [seconds.sum() / side.sum() for side in (a, b)]
        spreads = [ratios(one, seconds, side) for one, side in zip(drawn, (a, b), strict=True)]
        interval = difference_interval(values[0], values[1], spreads[0], spreads[1], drawn)
        by_ratio = ratio_interval(values[0], values[1], spreads[0], spreads[1], drawn)
        if interval is not None and by_ratio is not None:
            held += interval[0] <= truth <= interval[1]
            held_ratio += by_ratio[0] <= 1 / EFFECT <= by_ratio[1]
            widths.append((interval[1] - interval[0]) / -truth)
    return held / runs, held_ratio / runs, float(np.median(widths))


def p95_coverage(phi: float, blocks: int, runs: int, drawn: Drawn) -> float:
    """Coverage of no difference between two p95 of the same process."""
    random = np.random.default_rng((2, blocks, int(100 * phi)))
    held = 0
    whole = Resamples(np.ones((1, blocks)), 1)
    for _ in range(runs):
        sides = latencies(random, 2, blocks, phi)
        values = [float(quantiles(whole, side, BOUNDS, 0.95)[0]) for side in sides]
        spreads = [quantiles(one, s, BOUNDS, 0.95) for one, s in zip(drawn, sides, strict=True)]
        interval = difference_interval(values[0], values[1], spreads[0], spreads[1], drawn)
        held += interval is not None and interval[0] <= 0 <= interval[1]
    return held / runs


def table(title: str, cell: Callable[[float, int, Drawn], str]) -> None:
    """Print a row per correlation time and a column per number of blocks."""
    print(f"\n{title}")
    print("correlation time " + "".join(f"{f'2 x {blocks}':>12}" for blocks in BLOCKS))
    for phi in AR1:
        time = "none" if phi == 0 else f"{-1 / np.log(phi):.1f} s"
        drawn = {n: (resample(n, (0, 0)), resample(n, (0, 1))) for n in BLOCKS}
        print(f"{time:<17}" + "".join(f"{cell(phi, n, drawn[n]):>12}" for n in BLOCKS), flush=True)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs

    def cost(phi: float, blocks: int, drawn: Drawn) -> str:
        held, ratio, width = cost_coverage(phi, blocks, runs, drawn)
        return f"{100 * held:.0f}/{100 * ratio:.0f}/{width:.1f}"

    table(
        "cost per request: coverage % of the difference / of the ratio / width over the effect",
        cost,
    )
    table(
        "p95 latency: coverage % of no difference",
        lambda phi, blocks, drawn: (
            f"{100 * p95_coverage(phi, blocks, max(1, runs // 4), drawn):.0f}"
        ),
    )


if __name__ == "__main__":
    main()
