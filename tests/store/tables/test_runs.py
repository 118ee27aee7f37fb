"""Engines and their runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from store.ledger.connection import Ledger
from store.reading_columns import Bounds
from store.records import RunInfo
from store.tables.engines import find_engine, list_engines, set_status, upsert_engine
from store.tables.runs import latest_run, list_runs, open_run, update_run
from tests.store.synthetic import make_engine

INFO = RunInfo(
    url="http://h:8000",
    name="e",
    model="org/model",
    pid=7,
    started_ms=5,
    vllm_version="0.32.0",
    control="live",
    reason="because",
    arguments=("vllm", "serve", "--api-key", "***"),
    bounds=Bounds({"ttft": (0.1, 0.5), "e2e": (1.0,)}),
    cache_config={"block_size": "16"},
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "l.db")


def test_a_run_comes_back_as_it_was_opened(ledger: Ledger) -> None:
    engine_id = upsert_engine(ledger, INFO.url, INFO.name)
    assert latest_run(ledger, engine_id) is None
    run_id = open_run(ledger, engine_id, INFO, 9)
    run = latest_run(ledger, engine_id)
    assert run is not None
    assert (run.id, run.engine_id, run.first_ms, run.last_ms) == (run_id, engine_id, None, None)
    assert run.info == INFO


def test_an_updated_run_and_a_renamed_engine(ledger: Ledger) -> None:
    engine_id = upsert_engine(ledger, "http://h:8000/", "e")
    run_id = open_run(ledger, engine_id, INFO, 9)
    assert upsert_engine(ledger, "http://h:8000", "renamed") == engine_id
    update_run(ledger, run_id, replace(INFO, pid=8, bounds=Bounds()))
    run = latest_run(ledger, engine_id)
    assert run is not None
    assert run.info == replace(INFO, name="renamed", pid=8, bounds=Bounds())


def test_runs_within_a_span(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "m.db")
    begin = engine.ms
    engine.run(5)
    engine.ms += 10_000
    engine.start()
    engine.run(5)
    second = begin + 15_000
    spans = {
        (begin, engine.ms): [1, 2],
        (begin, begin + 5_000): [1],
        (begin + 5_001, second - 1): [],
        (second + 1_500, second + 1_600): [2],
        (engine.ms + 1, engine.ms + 2): [],
    }
    for span, expected in spans.items():
        assert [run.id for run in list_runs(engine.ledger, engine.engine_id, *span)] == expected
    run = latest_run(engine.ledger, engine.engine_id)
    assert run is not None
    assert (run.id, run.first_ms, run.last_ms) == (2, second, engine.ms)


def test_an_engine_is_found_by_url_then_by_name(ledger: Ledger) -> None:
    upsert_engine(ledger, "http://a", "one")
    upsert_engine(ledger, "http://b", "one")
    upsert_engine(ledger, "http://c", "http://a")
    for text, url in (("http://b/", "http://b"), ("one", "http://b"), ("http://a", "http://a")):
        found = find_engine(ledger, text)
        assert found is not None
        assert found.url == url
    assert find_engine(ledger, "nobody") is None


def test_a_status_keeps_since_when_it_holds(ledger: Ledger) -> None:
    engine_id = upsert_engine(ledger, "http://a", "a")
    set_status(ledger, engine_id, "unreadable", "timeout", 5)
    set_status(ledger, engine_id, "unreadable", "timeout", 6)
    assert list_engines(ledger)[0].state_ms == 5
    set_status(ledger, engine_id, "ok", "", 7)
    row = list_engines(ledger)[0]
    assert (row.state, row.state_reason, row.state_ms) == ("ok", "", 7)
