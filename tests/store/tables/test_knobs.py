"""The history of knobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from store.records import KnobState
from store.tables.knobs import current, record
from tests.store.synthetic import Engine, make_engine

SEQS = KnobState("max_num_seqs", "live", 8, 16, 1, 16, "mind the queue")
CACHE = KnobState("enable_prefix_caching", "live", False, True, None, None)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def test_states_come_back_as_they_went(engine: Engine) -> None:
    assert record(engine.ledger, engine.run_id, 10, [SEQS, CACHE]) == 2
    found = current(engine.ledger, engine.run_id)
    assert found == [CACHE, SEQS]
    assert found[0].value is False
    assert current(engine.ledger, engine.run_id + 1) == []


def test_only_what_differs_is_stored(engine: Engine) -> None:
    record(engine.ledger, engine.run_id, 10, [SEQS, CACHE])
    assert record(engine.ledger, engine.run_id, 20, [SEQS, CACHE]) == 0
    changed = replace(SEQS, value=4)
    assert record(engine.ledger, engine.run_id, 30, [changed, CACHE]) == 1
    assert record(engine.ledger, engine.run_id, 40, [changed, replace(CACHE, reason="new")]) == 1
    rows = engine.ledger.conn.execute("SELECT count(*) FROM knobs").fetchone()[0]
    assert rows == 4


def test_a_state_at_an_earlier_time(engine: Engine) -> None:
    for at_ms, value in ((10, 8), (20, 4), (30, None)):
        record(engine.ledger, engine.run_id, at_ms, [replace(SEQS, value=value)])
    values = [
        [state.value for state in current(engine.ledger, engine.run_id, at_ms)]
        for at_ms in (9, 10, 19, 20, 31)
    ]
    assert values == [[], [8], [8], [4], [None]]


def test_a_change_within_one_millisecond_keeps_the_later(engine: Engine) -> None:
    record(engine.ledger, engine.run_id, 10, [SEQS])
    record(engine.ledger, engine.run_id, 10, [replace(SEQS, value=1)])
    assert [state.value for state in current(engine.ledger, engine.run_id)] == [1]
