"""Steps for charts."""

from __future__ import annotations

import tempfile
from functools import reduce
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.windows.series import GAP_MS, read_steps
from store.windows.window import add, read_window
from tests.store.strategies import Life, histories, write_history
from tests.store.synthetic import START_MS, Engine, Second, make_engine


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def _steps(engine: Engine, start_s: int, end_s: int, step_ms: int) -> list[tuple[int, int | None]]:
    """Seconds since the start at which each step's window ends, and its requests."""
    found = read_steps(
        engine.ledger,
        engine.engine_id,
        START_MS + start_s * 1_000,
        START_MS + end_s * 1_000,
        step_ms,
    )
    return [((one.to_ms - START_MS) // 1_000, one.totals["requests_stop"]) for one in found]


def test_each_step_has_what_happened_in_it(engine: Engine) -> None:
    engine.run(6, lambda index: Second(requests=index + 1))
    assert _steps(engine, 0, 6, 1_000) == [(n, n) for n in range(1, 7)]
    assert _steps(engine, 0, 6, 2_000) == [(2, 3), (4, 7), (6, 11)]
    assert _steps(engine, 2, 5, 1_000) == [(3, 3), (4, 4), (5, 5)]
    assert _steps(engine, 2, 5, 2_000) == [(4, 7)]


def test_reading_on_gives_the_same_steps_as_reading_all(engine: Engine) -> None:
    engine.run(8, lambda index: Second(requests=index + 1))
    parts = [step for at in range(8) for step in _steps(engine, at, at + 1, 1_000)]
    assert parts == _steps(engine, 0, 8, 1_000)


def test_a_step_is_the_window_over_it(engine: Engine) -> None:
    engine.run(70)
    for step in read_steps(engine.ledger, engine.engine_id, START_MS, engine.ms, 10_000):
        assert step == read_window(engine.ledger, engine.engine_id, step.from_ms, step.to_ms)


def test_a_gap_leaves_no_window_and_is_not_averaged_into_the_next(engine: Engine) -> None:
    engine.run(3)
    engine.tick(Second(requests=900), step_ms=GAP_MS + 2_000)
    engine.run(2)
    assert _steps(engine, 0, 17, 1_000) == [(1, 10), (2, 10), (3, 10), (16, 10), (17, 10)]


def test_a_few_missed_readings_are_averaged_over_the_time_they_took(engine: Engine) -> None:
    engine.run(2)
    engine.tick(Second(requests=30), step_ms=3_000)
    engine.run(1)
    assert _steps(engine, 0, 6, 1_000) == [(1, 10), (2, 10), (5, 30), (6, 10)]


def test_steps_go_on_over_a_restart(engine: Engine) -> None:
    engine.run(3)
    engine.ms += 500
    engine.start()
    engine.run(3, Second(requests=4))
    steps = read_steps(engine.ledger, engine.engine_id, START_MS, engine.ms + 10_000, 2_000)
    assert [(one.totals["requests_stop"], one.run_ids) for one in steps] == [
        (20, (1,)),
        (10, (1,)),
        (8, (2,)),
        (4, (2,)),
    ]
    both = read_steps(engine.ledger, engine.engine_id, START_MS, START_MS + 10_000, 5_000)
    assert both[0].run_ids == (1, 2)
    assert both[0].totals["requests_stop"] == 34


def test_nothing_recorded_is_no_step(engine: Engine) -> None:
    assert _steps(engine, 0, 60, 1_000) == []
    engine.run(3)
    assert _steps(engine, 100, 160, 1_000) == []
    assert _steps(engine, 3, 3, 1_000) == []


@settings(max_examples=60)
@given(history=histories, step_ms=st.sampled_from((20_000, 60_000, 300_000, 7_200_000)))
def test_long_enough_steps_add_up_to_the_window(history: list[Life], step_ms: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger, engine_id, times = write_history(Path(folder) / "l.db", history)
        with ledger:
            first, last = times[0][0], times[-1][-1]
            count = -(-(last - first) // step_ms)
            steps = read_steps(ledger, engine_id, first, first + count * step_ms, step_ms)
            assert all(one.to_ms > other.to_ms for other, one in pairwise(steps))
            whole = read_window(ledger, engine_id, first, last)
            if whole is None or step_ms < 300_000:
                return
            summed = reduce(add, steps)
            assert (summed.totals, summed.maxima) == (whole.totals, whole.maxima)
            assert summed.histograms == whole.histograms
