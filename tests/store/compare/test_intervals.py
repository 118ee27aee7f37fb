"""Intervals on made-up noise whose truth is known; `tests/bench/bench_coverage.py` at length."""

from __future__ import annotations

import math

import numpy as np
import pytest

from store.compare.intervals import bounds
from store.compare.intervals.estimate import Certainty
from store.compare.intervals.influence import Sums, on_logarithm, on_value, sums_of
from store.compare.intervals.long_run import Variances, error_of_difference, noise_of
from store.compare.intervals.percentile import Distribution, log_ratio, reach
from store.compare.intervals.spectra import shapes
from tests.bench.bench_coverage import coverage, first_false_call, interval


@pytest.mark.parametrize(
    ("load", "seconds", "least"),
    [
        ("steady", 50, 0.95),
        ("wanders, 4.5 s", 80, 0.92),
        ("wanders, 9.5 s", 120, 0.90),
        ("wanders, 19.5 s", 300, 0.90),
    ],
)
def test_fixed_windows_hold_the_truth_as_often_as_they_say(
    load: str, seconds: int, least: float
) -> None:
    assert coverage(load, seconds, 80).held >= least - 0.02


@pytest.mark.parametrize("load", ["steady", "wanders, 19.5 s", "bursts", "heavy tails"])
def test_who_watches_sees_no_effect_where_there_is_none(load: str) -> None:
    calls = [first_false_call(load, seed, 120, 200) for seed in range(12)]
    assert sum(call is not None for call in calls) <= 2


def test_slow_noise_makes_wider_intervals_than_fast_noise_of_the_same_size() -> None:
    random = np.random.default_rng(5)
    fast = random.normal(size=240)
    slow = np.repeat(random.normal(size=12), 20)
    slow *= fast.std() / slow.std()
    width = [
        bounds.half_width(
            error_of_difference(noise_of(each - each.mean(), 240.0), noise_of(fast, 240.0)), 0.05
        )
        for each in (fast, slow)
    ]
    assert width[1] > 2 * width[0]


def test_waves_faster_than_the_band_do_not_widen_the_interval() -> None:
    """Requests that end in waves of four seconds are steadier in the long run than by chance."""
    random = np.random.default_rng(6)
    by_chance = random.poisson(5.0, 200).astype(np.float64)
    in_waves = np.tile([20.0, 0.0, 0.0, 0.0], 50)
    width = [interval(each, each, Certainty(0.05))[1] for each in (by_chance, in_waves)]
    assert width[1] < width[0]


def test_the_shapes_are_those_of_the_process_they_stand_for() -> None:
    """The power of each cosine weight against a simulation of noise that forgets in 12 s."""
    random = np.random.default_rng(7)
    times = np.exp(np.linspace(math.log(1.5), math.log(40), 9))
    row, seconds = 5, 100
    tau = float(times[row])
    phi = math.exp(-1 / tau)
    steps = random.normal(size=(2000, seconds)) * math.sqrt(1 - phi**2)
    series = np.empty_like(steps)
    series[:, 0] = random.normal(size=2000)
    for second in range(1, seconds):
        series[:, second] = phi * series[:, second - 1] + steps[:, second]
    order = np.arange(1, 9)[:, None]
    cosines = math.sqrt(2 / seconds) * np.cos(
        math.pi * order * (np.arange(seconds)[None, :] + 0.5) / seconds
    )
    measured = ((series @ cosines.T) ** 2).mean(axis=0)
    of_mean = seconds * series.mean(axis=1).var()
    shape = shapes(100.0, 8)
    pure = shape.power[-9:]  # the last level is all forgetting, a row a time
    level = 2 * tau
    assert measured / level == pytest.approx(pure[row], rel=0.12)
    assert of_mean / level == pytest.approx(shape.of_mean[-9:][row], rel=0.12)


def test_a_slow_side_that_comes_in_clusters_is_not_taken_for_a_fast_one() -> None:
    """Thirteen requests a second, then one in three seconds, most of them at the beginning."""
    random = np.random.default_rng(8)
    before = random.poisson(13.0, 60).astype(np.float64)
    after = np.concatenate((random.poisson(2.0, 20), random.poisson(0.15, 160))).astype(np.float64)
    low, high = interval(before, after, Certainty(0.05, at_every_look=True))
    assert low > math.log(2)
    assert high > math.log(before.mean() / after.mean()) + 1


def test_an_error_without_variance_reaches_nowhere() -> None:
    nothing = Variances(np.zeros(1), np.ones(1))
    assert bounds.half_width(nothing, 0.05) == 0.0
    assert bounds.half_width_at_every_look(nothing, 0.05) == 0.0


def test_a_normal_error_reaches_as_far_as_the_tables_say() -> None:
    one = Variances.of(4.0)
    assert bounds.half_width(one, 0.05) == pytest.approx(2 * 1.95996, rel=1e-4)
    assert bounds.half_width(one, 0.001) == pytest.approx(2 * 3.29053, rel=1e-3)
    assert bounds.half_width_at_every_look(one, 0.05) > bounds.half_width(one, 0.05)


@pytest.mark.parametrize("width", [0.02, 0.1, 1.0])
def test_the_variance_that_is_needed_gives_the_width_that_was_wanted(width: float) -> None:
    variance = bounds.variance_reaching(width, 0.05)
    reached = bounds.half_width_at_every_look(Variances.of(variance), 0.05)
    assert reached == pytest.approx(width, rel=1e-3)


def test_influences_sum_to_nothing_and_follow_the_value() -> None:
    sums = Sums(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([2.0, 2.0, 2.0, 2.0, 7.0]))
    for influence, value in ((on_logarithm(sums), math.log), (on_value(sums), float)):
        assert influence.sum() == pytest.approx(0.0, abs=1e-12)
        weighted = [15.0 + 1e-6 * 3.0, 15.0 + 1e-6 * 2.0]  # block 3 counts a little more
        moved = value(weighted[0] / weighted[1]) - value(15.0 / 15.0)
        assert influence[2] / 5 == pytest.approx(moved / 1e-6, rel=1e-3)


def test_too_few_blocks_with_something_in_them_give_no_sums() -> None:
    assert sums_of([1.0] * 9, [0.0] * 5 + [1.0] * 4) is None
    assert sums_of([1.0, None], [1.0, 1.0]) is None


def test_a_percentile_reaches_across_buckets_and_stops_at_the_bounds() -> None:
    counts = np.tile([10.0, 50.0, 30.0, 10.0], (20, 1))
    distribution = Distribution(counts, np.array([0.1, 0.3, 1.0]))
    assert distribution.quantile(0.5) == pytest.approx(0.1 + 0.2 * 0.8)
    assert distribution.quantile(0.05) == 0.1
    assert distribution.quantile(0.95) == 1.0
    around = reach(distribution, 0.5, 0.2)
    assert math.exp(around.low) == pytest.approx(0.1 + 0.2 * 0.4)
    assert math.exp(around.high) == pytest.approx(0.3 + 0.7 / 3)
    assert log_ratio(around, around)[0] == pytest.approx(-log_ratio(around, around)[1])
    assert distribution.share_influence(0.2).sum() == pytest.approx(0.0, abs=1e-9)
