"""Text from outside: what becomes of characters that command a terminal or deceive a reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.foreign_text import REPLACEMENT, printable

ANYTHING = st.text(st.characters(codec=None), max_size=300)


@pytest.mark.parametrize(
    "strange",
    "\x00\t\n\x1b\x7f\x85\x9b\xa0\xad"
    "\u200b\u200d\u2028\ufeff"
    "\u202e\u2066\u200f\u061c"
    "\ud800\udcff\ue000\U000e0041",
)
def test_what_deceives_is_replaced(strange: str) -> None:
    assert printable(f"a{strange}b") == f"a{REPLACEMENT}b"
    assert printable(f"a{strange}b", replacement="") == "ab"


@pytest.mark.parametrize("text", ["", "plain", "Ünïcode 漢字 \N{ROCKET}", "  two  spaces "])
def test_what_can_be_read_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("strange", [REPLACEMENT, ""])
@given(text=ANYTHING, limit=st.integers(1, 40))
def test_it_is_one_line_that_can_be_stored(strange: str, text: str, limit: int) -> None:
    shown = printable(text, limit, strange)
    assert shown.isprintable()
    assert len(shown) <= limit
    shown.encode()


def test_a_cut_shows() -> None:
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"
    assert printable("\x00" * 9 + "abcdefg", 6, replacement="") == "abcde…"
