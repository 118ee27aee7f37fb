from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.metrics.quantiles import LessThan, MoreThan, quantile
from store.reading_columns import Histogram
from store.windows.window import HistogramWindow

BOUNDS = (0.3, 0.5, 1.0, 5.0)


def window(*counts: int, bounds: tuple[float, ...] = BOUNDS) -> HistogramWindow:
    """Counts per bucket, the last one the overflow."""
    return HistogramWindow(bounds, Histogram(sum(counts), 0, counts[:-1]))


def test_inside_a_bucket_it_interpolates_linearly_as_prometheus_does() -> None:
    # rank 50 of 100: 20 lie at or under 0.5, 60 in (0.5, 1.0], so half way through that bucket
    assert quantile(window(10, 10, 60, 20, 0), 0.5) == pytest.approx(0.75)


def test_on_the_edge_of_a_bucket_it_is_the_bound() -> None:
    assert quantile(window(10, 40, 50, 0, 0), 0.5) == pytest.approx(0.5)


def test_the_first_bucket_tells_only_a_bound() -> None:
    """The histogram_quantile answer 0.15 s would be an invention: a true value may be 20 µs."""
    assert quantile(window(100, 0, 0, 0, 0), 0.5) == LessThan(0.3)


def test_the_overflow_tells_only_a_bound() -> None:
    assert quantile(window(1, 0, 0, 0, 99), 0.5) == MoreThan(5.0)


@pytest.mark.parametrize("empty", [window(0, 0, 0, 0, 0), window(5, bounds=())])
def test_nothing_observed_or_no_bounds_is_unknown(empty: HistogramWindow) -> None:
    assert quantile(empty, 0.5) is None


def test_a_zero_quantile_is_refused() -> None:
    with pytest.raises(ValueError, match="quantile"):
        quantile(window(1, 1, 1, 1, 0), 0)


counts = st.lists(st.integers(0, 1000), min_size=5, max_size=5).filter(any)


def rank_of(value: float | LessThan | MoreThan | None) -> float:
    if isinstance(value, LessThan):
        return 0.0
    if isinstance(value, MoreThan):
        return 1e9
    assert value is not None
    return value


@given(counts, st.floats(0.01, 1), st.floats(0.01, 1))
def test_it_never_falls_as_q_grows(found: list[int], p: float, q: float) -> None:
    low, high = sorted((p, q))
    assert rank_of(quantile(window(*found), low)) <= rank_of(quantile(window(*found), high)) + 1e-9


@given(counts, st.floats(0.01, 1), st.integers(2, 50))
def test_it_depends_on_shares_not_on_how_many(found: list[int], q: float, factor: int) -> None:
    one, many = quantile(window(*found), q), quantile(window(*(factor * c for c in found)), q)
    if isinstance(one, float):
        assert one == pytest.approx(many, rel=1e-6)
    else:
        assert one == many


@given(st.lists(st.floats(0.31, 4.9), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_it_lies_in_the_bucket_of_the_true_quantile(values: list[float], q: float) -> None:
    slots = [sum(bound < value for bound in BOUNDS) for value in values]
    answer = quantile(window(*(slots.count(slot) for slot in range(5))), q)
    true = sorted(values)[max(0, -int(-q * len(values) // 1) - 1)]
    slot = sum(bound < true for bound in BOUNDS)
    assert isinstance(answer, float)
    assert BOUNDS[slot - 1] - 1e-9 <= answer <= BOUNDS[slot]
