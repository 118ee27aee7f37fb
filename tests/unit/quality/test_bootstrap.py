from __future__ import annotations

import numpy as np
import pytest

from engines.quality.bootstrap import ratio_interval, student_975


@pytest.mark.parametrize("texts", [4, 12])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(texts: int) -> None:
    random = np.random.default_rng(texts)
    held = 0
    for _ in range(400):
        tokens = random.integers(20, 60, texts).astype(float)
        low, high = ratio_interval(list(tokens * random.normal(1.0, 0.3, texts)), list(tokens))
        held += low <= 1.0 <= high
    assert 0.9 <= held / 400 <= 0.99


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (15, 2.131), (30, 2.042), (1e9, 1.960)],
)
def test_students_t_agrees_with_the_tables(freedom: float, t: float) -> None:
    assert student_975(freedom) == pytest.approx(t, abs=2e-3)


def test_students_t_falls_as_the_degrees_of_freedom_grow() -> None:
    values = [student_975(freedom / 4) for freedom in range(2, 200)]
    assert values == sorted(values, reverse=True)
