"""The least KL is what it claims: never above the truth, and exact where it can be."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.quality.divergence import least_kl, same_top

Distribution = list[float]
WEIGHTS = st.lists(st.floats(0.001, 1.0), min_size=12, max_size=12)


def normal(weights: Distribution) -> Distribution:
    return [weight / sum(weights) for weight in weights]


def listed(p: Distribution, top: int, own: int) -> dict[int, float]:
    most = sorted(range(len(p)), key=lambda token: -p[token])[:top]
    return {token: math.log(p[token]) for token in dict.fromkeys([own, *most])}


def true_kl(p: Distribution, q: Distribution) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


@given(WEIGHTS, WEIGHTS, st.integers(1, 12), st.integers(0, 11))
def test_never_above_the_true_divergence(
    p: Distribution, q: Distribution, top: int, own: int
) -> None:
    p, q = normal(p), normal(q)
    bound = least_kl(listed(p, top, own), listed(q, top, own))
    assert 0 <= bound <= true_kl(p, q) + 1e-9


@given(WEIGHTS, WEIGHTS, st.integers(0, 11))
def test_exact_when_all_tokens_are_listed(p: Distribution, q: Distribution, own: int) -> None:
    p, q = normal(p), normal(q)
    found = least_kl(listed(p, 12, own), listed(q, 12, own))
    assert found == pytest.approx(true_kl(p, q), abs=1e-5)


@given(WEIGHTS, st.integers(1, 12), st.integers(0, 11))
def test_exactly_nothing_between_equals(p: Distribution, top: int, own: int) -> None:
    one = listed(normal(p), top, own)
    assert least_kl(one, one) == 0


def test_it_is_the_least_of_all_that_fit() -> None:
    """No way to give out the probability that is not listed has a smaller divergence."""
    old = {0: math.log(0.5), 1: math.log(0.3)}
    new = {2: math.log(0.4), 3: math.log(0.35)}
    bound = least_kl(old, new)
    draw = random.Random(1)
    least = math.inf
    for _ in range(20_000):
        a, b = draw.uniform(0, 0.25), draw.uniform(0, 0.25)
        if a + b < 1:
            rest = 1 - a - b
            terms = ((0.5, a), (0.3, b), (0.2, rest))
            least = min(least, sum(p * math.log(p / max(q, 1e-12)) for p, q in terms))
    assert bound <= least
    # A token that is not listed may be as likely as the safe cap, 0.4, says.
    assert bound == pytest.approx(
        0.5 * math.log(0.5 / 0.4) + 0.3 * math.log(0.3 / 0.36) + 0.2 * math.log(0.2 / 0.24)
    )


def test_other_top_tokens_are_far_apart() -> None:
    old = {0: math.log(0.98), 1: math.log(0.01)}
    new = {2: math.log(0.98), 3: math.log(0.01), 1: math.log(0.005)}
    assert least_kl(old, new) > 1


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ({1: -0.1, 2: -3.0}, {1: -0.2, 3: -2.0}, True),
        ({1: -0.1, 2: -3.0}, {2: -0.2, 1: -2.0}, False),
        ({1: -0.7, 2: -0.7}, {2: -0.2, 1: -2.0}, True),
    ],
)
def test_same_top(old: dict[int, float], new: dict[int, float], same: bool) -> None:
    assert same_top(old, new) is same
