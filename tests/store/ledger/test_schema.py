"""The tables, their migration and the friendly views."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from store.ledger.connection import Ledger
from store.ledger.database import database
from store.ledger.export import TABLES
from store.ledger.migrations import migrate
from store.ledger.schema import APPLICATION_ID
from store.ledger.versions.steps import SCHEMA_VERSION, STEPS
from store.ledger.views import VIEWS
from store.reading_columns import READING_COLUMNS
from store.records import Change, Event, KnobState
from store.reports.step_line import StepLine
from store.reports.swap import SwapReport
from store.tables import changes, events, knobs, snapshots, starts, swaps
from store.tables.engines import find_engine
from tests.store.synthetic import Engine, Second, make_engine


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def test_every_table_is_strict_and_readings_have_no_rowid(engine: Engine) -> None:
    tables = engine.ledger.conn.execute(
        "SELECT name, wr, strict FROM pragma_table_list "
        "WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    ours = {name: (without_rowid, strict) for name, without_rowid, strict in tables}
    assert all(strict for _, strict in ours.values())
    assert ours["reading_rows"] == ours["reading_bases"] == ours["device_readings"] == (1, 1)


def test_the_columns_of_readings_are_those_of_a_reading(engine: Engine) -> None:
    columns = engine.ledger.conn.execute("SELECT name FROM pragma_table_info('readings')")
    assert tuple(name for (name,) in columns) == READING_COLUMNS


def test_migrating_what_is_migrated_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger.open(path) as ledger:
        before = ledger.conn.execute("SELECT sql FROM sqlite_master").fetchall()
        migrate(ledger.conn)
    with Ledger.open(path) as ledger:
        assert ledger.conn.execute("SELECT sql FROM sqlite_master").fetchall() == before
        assert ledger.conn.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION


def test_a_ledger_of_version_1_is_raised_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        STEPS[0](database(connection))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO engines (url, name) VALUES ('http://h:1', 'chat')")
    with Ledger.open(path) as ledger:
        row = find_engine(ledger, "http://h:1")
        assert row is not None
        assert row.name == "chat"
        assert ledger.conn.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        swaps.record(ledger, row.id, SwapReport("a", 5, "int4", "overlap", "done"))
        swap = SwapReport(
            "b", 9, "fp8", "stop-start", "rolled back", steps=(StepLine(1.0, "plan"),)
        )
        swaps.record(ledger, row.id, swap)
        swaps.record(ledger, row.id, swap)
        assert [one.id for one in swaps.recent(ledger, row.id, 9)] == ["b", "a"]
        assert swaps.recent(ledger, row.id, 1) == [swap]
        assert starts.alike(ledger, "m", "k", beside=False) == []


def test_a_running_swap_is_brought_up_to_date_until_it_is_over(engine: Engine) -> None:
    running = SwapReport("a", 5, "int4", "auto", "running", steps=(StepLine(1.0, "plan"),))
    for row in (
        running,
        replace(running, strategy="overlap", steps=(StepLine(1.0, "plan"), StepLine(2.0, "check"))),
        replace(running, strategy="overlap", outcome="done", took_s=9.0),
        replace(running, outcome="rolled back"),
    ):
        swaps.record(engine.ledger, engine.engine_id, row)
    (found,) = swaps.recent(engine.ledger, engine.engine_id, 9)
    assert (found.outcome, found.strategy, found.took_s) == ("done", "overlap", 9.0)


def test_readings_are_looked_up_by_their_key_alone(engine: Engine) -> None:
    plan = engine.ledger.conn.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM readings WHERE run_id = 1 AND ts_ms <= 5 "
        "ORDER BY ts_ms DESC LIMIT 1"
    ).fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH grown USING PRIMARY KEY (run_id=? AND ts_ms<?)",
        "SEARCH base USING PRIMARY KEY (run_id=? AND minute=?)",
    ]


def _rows(engine: Engine, view: str) -> list[dict[str, object]]:
    cursor = engine.ledger.conn.execute(f"SELECT * FROM {view} ORDER BY ts_ms")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def test_v_readings_has_rates_since_the_row_before(engine: Engine) -> None:
    engine.tick(Second(requests=6, output_per_request=10, cached_share=0.25, active=0.5))
    engine.tick(Second(requests=8, running=2.5), step_ms=2_000)
    first, second, third = _rows(engine, "v_readings")
    assert first["requests_per_second"] is None
    assert second["requests_per_second"] == 6
    assert second["generation_tokens_per_second"] == 60
    assert second["cache_hit_rate"] == 0.25
    assert second["active_fraction"] == 0.5
    assert second["kv_usage_mean"] == 0.25
    assert second["kv_usage_max"] == 0.4
    assert second["time_utc"] == "2027-01-15T08:00:01.000Z"
    assert third["requests_per_second"] == 4
    assert third["running_mean"] == 2.5
    assert third["step_seconds"] == 2
    assert third["ttft_mean_seconds"] == 0


def test_v_readings_does_not_reach_over_a_restart(engine: Engine) -> None:
    engine.tick(Second(requests=6))
    engine.ms += 5_000
    engine.start()
    assert [row["requests_per_second"] for row in _rows(engine, "v_readings")] == [None, 6, None]


def test_an_idle_second_has_no_hit_rate(engine: Engine) -> None:
    engine.tick(Second(requests=0))
    assert _rows(engine, "v_readings")[1]["cache_hit_rate"] is None


def test_v_devices(engine: Engine) -> None:
    engine.tick(Second())
    row = _rows(engine, "v_devices")[1]
    assert (row["device_seconds"], row["utilisation_mean"]) == (1, 0.9)
    assert (row["memory_mean_mib"], row["power_mean_watts"]) == (1024, 300)


def test_the_small_views(engine: Engine) -> None:
    ledger, run_id = engine.ledger, engine.run_id
    change = Change("c", 5, "enable_prefix_caching", True, False, "applied", "set", "me")
    changes.record(ledger, run_id, change)
    states = [KnobState("enable_prefix_caching", "live", True, True, None, None)]
    knobs.record(ledger, run_id, 4, states)
    knobs.record(ledger, run_id, 6, [KnobState("max_num_seqs", "live", 8, 16, 1, 16)])
    snapshots.save(ledger, snapshots.Snapshot("s", engine.engine_id, 0, 2_000, 9, {"a": 1}))
    events.add(ledger, engine.engine_id, Event(7, "run", "it began"))
    assert _rows(engine, "v_changes")[0]["from_value"] == "on"
    assert _rows(engine, "v_changes")[0]["to_value"] == "off"
    values = {row["knob"]: (row["value"], row["start_value"]) for row in _rows(engine, "v_knobs")}
    assert values == {"enable_prefix_caching": ("on", "on"), "max_num_seqs": (8, 16)}
    assert _rows(engine, "v_snapshots")[0]["seconds"] == 2
    assert json.loads(str(_rows(engine, "v_snapshots")[0]["configuration"])) == {"a": 1}
    assert _rows(engine, "v_runs")[0]["model"] == "tiny"
    assert _rows(engine, "v_events")[0]["text"] == "it began"


def test_every_view_names_its_engine_and_its_time(engine: Engine) -> None:
    for view in VIEWS:
        cursor = engine.ledger.conn.execute(f"SELECT * FROM {view} LIMIT 0")
        assert {"engine", "ts_ms"} <= {column[0] for column in cursor.description}


def test_every_exported_table_is_a_view() -> None:
    assert {f"v_{table}" for table in TABLES} == set(VIEWS)


def test_a_time_range_of_a_view_reads_by_key(engine: Engine) -> None:
    for view in ("v_readings", "v_devices"):
        plan = engine.ledger.conn.execute(
            f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE run_id = 1 AND ts_ms > 5"
        ).fetchall()
        assert not [row[3] for row in plan if row[3].startswith("SCAN")]
