import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.durations import ago, format_duration, format_took, parse_duration
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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (42.9, "42 s"),
        (239, "3 min"),
        (7200, "2 h"),
        (8100, "2 h 15 min"),
        (86_400, "1 d"),
        (444_444, "5 d 3 h"),
    ],
)
def test_tells_how_long_it_has_lasted(seconds: float, text: str) -> None:
    assert ago(int(1000 * seconds)) == text


@pytest.mark.parametrize(
    ("took_ms", "text"), [(0.1, "0.1 ms"), (999, "999.0 ms"), (46_210, "46.2 s")]
)
def test_tells_how_long_an_act_took(took_ms: float, text: str) -> None:
    assert format_took(took_ms) == text
