"""How often intervals hold the truth, looked at once and at every look: a simulation, printed.

Requests finish second by second (`noisy_load`) and go through the very functions that `compare`
uses, as cost per request (seconds ÷ requests). Printed are: of 95 % intervals of two fixed windows
the share that held the true effect (-23 %), and how wide they were; and of an hour's A/A watched at
every look the share that ever showed an effect.

    python -m tests.bench.bench_coverage [--runs 400] [--watched 100]
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from store.compare.intervals.estimate import Certainty, of_logarithm
from store.compare.intervals.influence import Sums
from store.compare.intervals.spectra import Floats
from tests.bench.noisy_load import LOADS

EFFECT = 1.3
LENGTHS = (20, 50, 80, 120, 200, 300)
FIXED = ("steady", "wanders, 1.4 s", "wanders, 4.5 s", "wanders, 9.5 s", "wanders, 19.5 s")
BEFORE_S, WATCHED_S = 300, 3600
MOST_BLOCKS = 256


@dataclass(frozen=True)
class Coverage:
    """The share of intervals that held the truth, and their median half width."""

    held: float
    half_width: float


def cost_sums(counts: Floats) -> Sums:
    """Seconds and requests of a window, in no more blocks than a comparison cuts."""
    per_block = 1
    while len(counts) / per_block > MOST_BLOCKS:
        per_block *= 2
    whole = len(counts) // per_block * per_block
    blocks = counts[:whole].reshape(-1, per_block).sum(axis=1)
    return Sums(np.full(len(blocks), float(per_block)), blocks)


def interval(before: Floats, after: Floats, certainty: Certainty) -> tuple[float, float]:
    """The interval of ln(cost per request after / before), as `compare` makes it."""
    sums = cost_sums(before), cost_sums(after)
    difference = math.log(before.mean() / after.mean())
    seconds = (float(sums[0].over.sum()), float(sums[1].over.sum()))
    return of_logarithm(difference, sums, seconds, certainty).interval


def coverage(load: str, seconds: int, runs: int) -> Coverage:
    """Two windows of so many seconds; the second one's clock runs faster by the effect."""
    random = np.random.default_rng((1, seconds, len(load), ord(load[-3])))
    held, widths = 0, []
    for _ in range(runs):
        before = LOADS[load](random, seconds)
        after = random.poisson(EFFECT * np.maximum(LOADS[load](random, seconds), 0.0))
        if min(before.sum(), after.sum()) == 0:
            continue
        low, high = interval(before, after.astype(np.float64), Certainty(0.05))
        held += low <= -math.log(EFFECT) <= high
        widths.append((high - low) / 2)
    return Coverage(held / runs, float(np.median(widths)))


def first_false_call(load: str, seed: int, before_s: int, watched_s: int) -> int | None:
    """The second at which an A/A watched at every look first shows an effect; None if never."""
    random = np.random.default_rng((2, seed, len(load), ord(load[-3])))
    counts = LOADS[load](random, before_s + watched_s)
    before, certainty = counts[:before_s], Certainty(0.05, at_every_look=True)
    for seconds in looks(watched_s):
        after = counts[before_s : before_s + seconds]
        if after.sum() == 0:
            continue
        low, high = interval(before, after, certainty)
        if not low <= 0 <= high:
            return seconds
    return None


def looks(watched_s: int) -> list[int]:
    """Each second at first, then each twentieth part more: between those nothing much moves."""
    times, seconds = [], 8
    while seconds <= watched_s:
        times.append(seconds)
        seconds = max(seconds + 1, round(seconds * 1.05))
    return times


def print_coverage(runs: int, pool: ProcessPoolExecutor) -> None:
    """A row a load, a column a length."""
    print("fixed windows: % of 95 % intervals that hold the truth / half width of the logarithm")
    print("load             " + "".join(f"{f'2 x {seconds} s':>12}" for seconds in LENGTHS))
    cells = [(load, seconds) for load in FIXED for seconds in LENGTHS]
    results = pool.map(coverage, *zip(*cells, strict=True), [runs] * len(cells))
    by_cell = dict(zip(cells, results, strict=True))
    for load in FIXED:
        row = [by_cell[load, seconds] for seconds in LENGTHS]
        texts = [f"{100 * cell.held:.0f} / {cell.half_width:.2f}" for cell in row]
        print(f"{load:<17}" + "".join(f"{text:>12}" for text in texts), flush=True)


def print_watched(runs: int, pool: ProcessPoolExecutor) -> None:
    """A row a load: how often an effect was called that is not there."""
    print(f"\nwatched for an hour, {BEFORE_S} s before: % of A/A that ever show an effect")
    for load in LOADS:
        arguments = ([load] * runs, range(runs), [BEFORE_S] * runs, [WATCHED_S] * runs)
        calls = [call for call in pool.map(first_false_call, *arguments) if call is not None]
        when = f", first after {sorted(calls)[0]} s" if calls else ""
        print(f"{load:<17}{100 * len(calls) / runs:6.1f}{when}", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--watched", type=int, default=100)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        print_coverage(arguments.runs, pool)
        print_watched(arguments.watched, pool)


if __name__ == "__main__":
    main()
