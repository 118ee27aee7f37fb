"""Lines: widths in cells, clipping, and text from outside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.tui.drawing.lines import Span, cells, clip, fit, outside, pad, spread, width_of

texts = st.text(max_size=40)


@given(texts, st.integers(0, 30))
def test_clipped_text_fits(text: str, width: int) -> None:
    assert cell_len(clip(outside(text), width)) <= width


@given(texts, st.integers(0, 30), st.booleans())
def test_padded_text_is_exactly_as_wide(text: str, width: int, right: bool) -> None:
    assert cell_len(pad(outside(text), width, right=right)) == width


@given(st.lists(texts, max_size=6), st.integers(0, 40))
def test_a_fitted_line_fits(parts: list[str], width: int) -> None:
    assert width_of(fit(tuple(Span(outside(part)) for part in parts), width)) <= width


@given(texts, texts, st.integers(1, 60))
def test_two_ends_spread_over_the_width(left: str, right: str, width: int) -> None:
    line = spread((Span(outside(left)),), (Span(outside(right)),), width)
    assert width_of(line) <= width


@given(st.text())
def test_no_control_character_comes_through(text: str) -> None:
    shown = outside(text + "\x1b[2J\x9b31m\r\n\u202e" + text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 or char == "\u202e" for char in shown)
    assert len(shown) <= 200


def test_cells_cuts_spans() -> None:
    line = (Span("abc", "x"), Span("def", "y"))
    assert cells(line, 2, 5) == (Span("c", "x"), Span("de", "y"))
    assert cells(line, 6, 9) == ()
