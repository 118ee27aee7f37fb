import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.durations import format_duration, parse_duration
from store.errors import BadInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400)],
)
def test_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(f" {text.upper()} ") == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5x", "-5s", "5s x", "nan s", "0s", "9999999h", "1e3s"]
)
def test_refuses_with_an_example(text: str) -> None:
    with pytest.raises(BadInput):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5s"), (0, "0s"), (42, "42s"), (90, "1m 30s"), (7200, "2h"), (273_600, "3d 4h")],
)
def test_writes(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=1, max_value=86_400 * 400))
def test_what_is_written_is_read_back_to_its_two_largest_units(seconds: int) -> None:
    again = parse_duration(format_duration(seconds).replace(" ", ""))
    assert again <= seconds < again + max(60, again / 24)
