"""How long a start may still take, as earlier ones tell."""

from pathlib import Path

import pytest

from store.tables import starts
from store.tables.starts import StartRow, TimeLeft, command_key, time_left
from tests.store.synthetic import Engine, make_engine

PHASES = {"loading weights": 10.0, "cache allocated": 16.0}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def row(
    took_s: float = 24.0, command: str = "a", beside: bool = False, ts_ms: int = 1, model: str = "m"
) -> StartRow:
    return StartRow(ts_ms, model, command, beside, took_s, PHASES)


@pytest.mark.parametrize(
    ("elapsed_s", "phases", "expected"),
    [
        (0, {}, TimeLeft(20, 30, 2)),
        (5, {}, TimeLeft(15, 25, 2)),
        # Ten seconds late with the weights: what came after them still takes as long.
        (20, {"loading weights": 20}, TimeLeft(10, 20, 2)),
        (23, {"loading weights": 20}, TimeLeft(7, 17, 2)),
        (23, {"loading weights": 20, "a phase unheard of": 21}, TimeLeft(7, 17, 2)),
        (300, {"loading weights": 20}, TimeLeft(0, 0, 2)),
    ],
)
def test_time_left_counts_from_the_newest_phase_in_common(
    elapsed_s: float, phases: dict[str, float], expected: TimeLeft
) -> None:
    assert time_left([row(20), row(30)], elapsed_s, phases) == expected


def test_without_earlier_starts_nobody_knows() -> None:
    assert time_left([], 5, {}) is None


def test_the_most_alike_starts_are_learned_from(engine: Engine) -> None:
    rows = [
        row(1, "other", False, 1),
        row(2, "other", True, 2),
        row(3, "a", False, 3),
        row(4, "a", True, 4),
        row(5, "a", True, 5),
        row(6, "a", True, 6, model="another"),
        row(7, "a", False, 7, model="alone"),
    ]
    for one in rows:
        starts.record(engine.ledger, engine.engine_id, one)

    def took(command: str, beside: bool, model: str = "m") -> list[float]:
        found = starts.alike(engine.ledger, model, command, beside=beside)
        return [one.took_s for one in found]

    assert took("a", True) == [5, 4]
    assert took("a", False) == [3]
    assert took("new", True) == [5, 4, 2]
    assert took("new", False) == [3, 1]
    assert took("a", True, "never started") == []
    assert took("a", False, "alone") == [7]
    assert took("a", True, "alone") == [], "a start beside a busy engine takes longer"


def test_a_start_comes_back_as_it_was_kept(engine: Engine) -> None:
    starts.record(engine.ledger, engine.engine_id, row())
    assert starts.alike(engine.ledger, "m", "a", beside=False) == [row()]


def test_a_command_key_tells_arguments_apart_and_shows_none() -> None:
    assert command_key(["--a", "b"]) != command_key(["--ab"])
    assert command_key(["m", "--api-key", "secret"]) == command_key(["m", "--api-key", "secret"])
    assert "secret" not in command_key(["m", "--api-key", "secret"])
