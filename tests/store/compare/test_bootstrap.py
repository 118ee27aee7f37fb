from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.compare.bootstrap import (
    RESAMPLES,
    Resamples,
    difference_interval,
    quantiles,
    ratio_interval,
    ratios,
    resample,
    student_975,
)
from store.metrics.quantiles import quantile
from store.reading_columns import Histogram
from store.windows.window import HistogramWindow


@pytest.mark.parametrize("blocks", [2, 5, 6, 7, 12, 30, 200])
def test_each_resample_has_as_many_blocks_as_there_are(blocks: int) -> None:
    drawn = resample(blocks, (0,))
    assert drawn.counts.shape == (RESAMPLES, blocks)
    assert (drawn.counts.sum(axis=1) == blocks).all()
    assert (drawn.counts >= 0).all()
    assert drawn.run_length < blocks


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    assert (resample(8, (1, 0)).counts == resample(8, (1, 0)).counts).all()
    assert (resample(8, (1, 0)).counts != resample(8, (1, 1)).counts).any()


def test_neighbours_are_drawn_together() -> None:
    """That is what makes it a moving-block bootstrap: counts of neighbours go together."""
    counts = resample(30, (0,)).counts
    together = np.corrcoef(counts[:, 14], counts[:, 15])[0, 1]
    apart = np.corrcoef(counts[:, 5], counts[:, 25])[0, 1]
    assert together > 0.5
    assert apart < 0


def test_a_ratio_is_of_sums_and_has_no_value_over_nothing() -> None:
    drawn = Resamples(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]), 1)
    found = ratios(drawn, np.array([10.0, 10.0]), np.array([4.0, 0.0]))
    assert found[0] == 5.0
    assert found[1] == 2.5
    assert np.isnan(found[2])


@given(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(lambda c: sum(c[1:-1]) > 0))
def test_resampled_quantiles_are_the_quantiles_of_merged_buckets(counts: list[int]) -> None:
    bounds = (0.1, 0.5, 2.0)
    drawn = Resamples(np.ones((1, 1)), 1)
    for q in (0.5, 0.95):
        true = quantile(HistogramWindow(bounds, Histogram(sum(counts), 0, tuple(counts[:-1]))), q)
        found = quantiles(
            drawn, np.array([counts], dtype=float), np.array(bounds), q, floor=bounds[0]
        )[0]
        expected = true if isinstance(true, float) else getattr(true, "seconds", None)
        assert found == pytest.approx(expected)


def test_a_quantile_of_nothing_has_no_value() -> None:
    drawn = Resamples(np.ones((1, 1)), 1)
    assert np.isnan(quantiles(drawn, np.zeros((1, 3)), np.array([1.0, 2.0]), 0.5)[0])


def interval_of(a: list[float], b: list[float], *, scale: float = 1.0) -> tuple[float, float]:
    one = resample(len(a), (0, 0)), resample(len(b), (0, 1))
    ones = [np.full(len(side), 1.0) for side in (a, b)]
    spreads = [
        ratios(drawn, scale * np.array(side), per)
        for drawn, side, per in zip(one, (a, b), ones, strict=True)
    ]
    means = [scale * sum(side) / len(side) for side in (a, b)]
    found = difference_interval(means[0], means[1], spreads[0], spreads[1], one)
    assert found is not None
    return found


blocks = st.lists(st.floats(1, 100), min_size=5, max_size=30)


@settings(max_examples=40)
@given(blocks, blocks, st.floats(1e-6, 1e6))
def test_units_scale_the_interval_and_nothing_else(
    a: list[float], b: list[float], scale: float
) -> None:
    plain, scaled = interval_of(a, b), interval_of(a, b, scale=scale)
    for one, other in zip(plain, scaled, strict=True):
        assert other == pytest.approx(scale * one, rel=1e-6, abs=scale * 1e-9)


@settings(max_examples=40)
@given(blocks, blocks)
def test_the_interval_holds_the_difference(a: list[float], b: list[float]) -> None:
    low, high = interval_of(a, b)
    middle = sum(b) / len(b) - sum(a) / len(a)
    assert low <= middle + 1e-9
    assert middle <= high + 1e-9


def test_more_blocks_of_the_same_noise_narrow_the_interval() -> None:
    random = np.random.default_rng(0)
    noise = list(random.normal(10, 1, 60))
    short, long = interval_of(noise[:6], noise[6:12]), interval_of(noise[:30], noise[30:])
    assert long[1] - long[0] < (short[1] - short[0]) / 2


def test_too_many_resamples_without_a_value_give_no_interval() -> None:
    drawn = resample(5, (0, 0)), resample(5, (0, 1))
    lost = np.full(RESAMPLES, 1.0)
    lost[: RESAMPLES // 20] = np.nan
    whole = np.full(RESAMPLES, 1.0)
    assert difference_interval(1.0, 1.0, lost, whole, drawn) is None
    assert ratio_interval(1.0, 1.0, lost, whole, drawn) is None


def test_a_ratio_to_zero_has_no_interval() -> None:
    drawn = resample(5, (0, 0)), resample(5, (0, 1))
    whole = np.full(RESAMPLES, 1.0)
    assert ratio_interval(0.0, 1.0, np.zeros(RESAMPLES), whole, drawn) is None


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (15, 2.131), (30, 2.042), (1e9, 1.960)],
)
def test_students_t_agrees_with_the_tables(freedom: float, t: float) -> None:
    assert student_975(freedom) == pytest.approx(t, abs=2e-3)


def test_students_t_falls_as_the_degrees_of_freedom_grow() -> None:
    values = [student_975(freedom / 4) for freedom in range(2, 200)]
    assert values == sorted(values, reverse=True)
