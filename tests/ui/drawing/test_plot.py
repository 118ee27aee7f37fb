"""Scales, scrolling and braille."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tui.drawing.plot import dots, first_slot, labels, nice_ceiling, plot, time_axis


@given(st.floats(1e-9, 1e12))
def test_a_scale_ends_at_a_nice_number_not_far_above(value: float) -> None:
    top = nice_ceiling(value)
    assert value <= top * (1 + 1e-6) and top <= 2.51 * value
    mantissa = top / 10.0 ** math.floor(math.log10(top) + 1e-9)
    assert any(mantissa == pytest.approx(nice) for nice in (1, 2, 2.5, 5, 10))


@given(st.integers(0, 10**10), st.integers(4, 1000))
def test_the_newest_slot_is_in_sight_and_at_most_a_quarter_is_empty(last: int, slots: int) -> None:
    first = first_slot(last, slots)
    assert first <= last < first + slots
    assert first + slots - 1 - last < max(1, slots // 4)


@given(st.integers(0, 10**10), st.integers(8, 400))
def test_the_chart_scrolls_four_times_a_width(last: int, slots: int) -> None:
    origins = {first_slot(at, slots) for at in range(last, last + slots)}
    assert len(origins) <= -(-slots // (slots // 4)) + 1


def test_a_line_is_drawn_from_the_bottom_up() -> None:
    low, high = dots([0.0, 0.0], 1.0, 2), dots([1.0, 1.0], 1.0, 2)
    assert [row[0] for row in low] == [0, 0x40 | 0x80]
    assert [row[0] for row in high] == [0x01 | 0x08, 0]


def test_a_missing_value_leaves_a_gap_and_joins_nothing() -> None:
    rows = dots([1.0, None, 0.0, 0.0], 1.0, 1)
    assert rows[0] == [0x01, 0x40 | 0x80]


def test_values_beyond_the_scale_stay_inside() -> None:
    assert dots([9.0, -9.0], 1.0, 1)[0][0]


def test_a_mark_stands_behind_the_line() -> None:
    lines = plot([([0.0] * 8, "primary")], 1.0, 3, [2])
    texts = ["".join(span.text for span in line) for line in lines]
    assert [text[2] for text in texts] == ["┊", "┊", "⣀"]


def test_marks_are_named_in_words_where_there_is_room() -> None:
    ((text, _),) = labels([(0, "A", "cache off"), (4, "B", "batch 8")], 20)
    assert text == "A   B batch 8       "


@given(st.integers(1, 2 * 10**12), st.integers(500, 200_000), st.integers(1, 200))
def test_the_time_axis_is_as_wide_as_the_plot(first_ms: int, cell_ms: int, width: int) -> None:
    (span,) = time_axis(first_ms, cell_ms, width)
    assert len(span.text) == width
