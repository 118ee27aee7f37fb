"""Thinning by rule: which rows stay, and that the rest is truly gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.device_columns import DeviceReading
from store.reading_columns import Reading
from store.records import Change, Device
from store.retention import thinning as retention
from store.retention.thinning import KEEP_ALL_MS, thin_chunk, tidy
from store.tables.changes import record
from store.tables.devices import upsert_device
from store.tables.readings import append
from store.tables.snapshots import Snapshot, save
from store.windows.window import read_window
from tests.store.synthetic import START_MS, Engine, Second, make_engine, thin


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def _seconds(engine: Engine, table: str = "readings") -> list[int]:
    rows = engine.ledger.conn.execute(f"SELECT ts_ms FROM {table} ORDER BY ts_ms")
    return [(at_ms - START_MS) // 1_000 for (at_ms,) in rows]


def _minutely(engine: Engine) -> list[int]:
    """START_MS lies on a minute."""
    return list(range(0, (engine.ms - START_MS) // 1_000 + 1, 60))


def test_the_last_row_of_each_minute_stays(engine: Engine) -> None:
    engine.run(300)
    before = read_window(engine.ledger, engine.engine_id, START_MS, START_MS + 240_000)
    assert thin(engine.ledger, engine.run_id, engine.ms, 60_000) == 295
    assert _seconds(engine) == _minutely(engine)
    assert _seconds(engine, "device_readings") == _minutely(engine)
    after = read_window(engine.ledger, engine.engine_id, START_MS, START_MS + 240_000)
    assert after == before
    assert thin(engine.ledger, engine.run_id, engine.ms, 60_000) == 0


def test_nothing_younger_is_touched(engine: Engine) -> None:
    engine.run(200)
    thin(engine.ledger, engine.run_id, START_MS + 120_000, 60_000)
    assert _seconds(engine) == [0, 60, *range(120, 201)]


def test_what_people_named_stays_exact(engine: Engine) -> None:
    engine.run(300)
    ends = (START_MS + 70_500, START_MS + 103_200)
    save(engine.ledger, Snapshot("s", engine.engine_id, *ends, made_ms=1))
    changed = START_MS + 200_400
    record(engine.ledger, 1, Change("c", changed, "k", 1, 2, "applied", "set", "me"))
    windows = [ends, (START_MS, changed), (changed, engine.ms)]
    before = [read_window(engine.ledger, engine.engine_id, *span) for span in windows]
    thin(engine.ledger, engine.run_id, engine.ms, 60_000)
    assert [read_window(engine.ledger, engine.engine_id, *span) for span in windows] == before
    inside = [70, 71, 80, 90, 100, 103, 104]
    assert _seconds(engine) == sorted({*_minutely(engine), *inside, 200, 201})


def test_where_chunks_end_leaves_no_trace(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.run(600)
    monkeypatch.setattr(retention, "CHUNK_ROWS", 77)
    next_ms = thin_chunk(engine.ledger, engine.run_id, engine.ms, 60_000, 0)
    assert next_ms == START_MS + 60_000
    assert thin(engine.ledger, engine.run_id, engine.ms, 60_000) > 0
    assert _seconds(engine) == _minutely(engine)


def test_a_step_longer_than_a_chunk_is_thinned_too(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.run(600)
    monkeypatch.setattr(retention, "CHUNK_ROWS", 50)
    before = read_window(engine.ledger, engine.engine_id, START_MS, engine.ms)
    thin(engine.ledger, engine.run_id, engine.ms, 3_600_000)
    assert len(_seconds(engine)) < 20
    assert read_window(engine.ledger, engine.engine_id, START_MS, engine.ms) == before


def test_the_space_comes_back(engine: Engine) -> None:
    with engine.ledger.transaction():
        engine.run(3_000)
    pages = engine.ledger.conn.execute("PRAGMA page_count").fetchone()[0]
    thin(engine.ledger, engine.run_id, engine.ms, 600_000)
    assert engine.ledger.conn.execute("PRAGMA page_count").fetchone()[0] < pages / 2
    assert engine.ledger.conn.execute("PRAGMA freelist_count").fetchone()[0] == 0
    assert engine.ledger.conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_device_that_was_lost_keeps_its_last_row(engine: Engine) -> None:
    engine.run(70)
    engine.device = None
    engine.run(100)
    held = engine.held_ms - 100_000
    thin(engine.ledger, engine.run_id, engine.ms, 60_000)
    assert _seconds(engine, "device_readings") == [0, 60, 70]
    window = read_window(engine.ledger, engine.engine_id, START_MS, engine.ms)
    assert window is not None
    assert window.devices[0].held_ms == held


def test_a_device_that_joined_late_keeps_its_first_row(engine: Engine) -> None:
    engine.device = None
    engine.run(70)
    engine.device = Device("gpu", "late", "H200")
    engine.held_ms = 5
    engine.run(100)
    before = read_window(engine.ledger, engine.engine_id, START_MS, engine.ms)
    thin(engine.ledger, engine.run_id, engine.ms, 60_000)
    assert _seconds(engine, "device_readings") == [0, 71, 120, 170]
    assert read_window(engine.ledger, engine.engine_id, START_MS, engine.ms) == before


def test_a_peak_of_a_dropped_row_is_kept(engine: Engine) -> None:
    engine.run(200)
    engine.ledger.conn.execute(
        "UPDATE reading_rows SET running_max = 99 WHERE ts_ms = ?", (START_MS + 77_000,)
    )
    engine.ledger.conn.execute(
        "UPDATE device_readings SET memory_max_mib = 7777 WHERE ts_ms = ?", (START_MS + 78_000,)
    )
    thin(engine.ledger, engine.run_id, engine.ms, 60_000)
    window = read_window(engine.ledger, engine.engine_id, START_MS + 60_000, START_MS + 120_000)
    assert window is not None
    assert window.maxima["running_max"] == 99
    assert window.devices[0].memory_max_mib == 7777
    after = read_window(engine.ledger, engine.engine_id, START_MS + 120_000, engine.ms)
    assert after is not None
    assert after.maxima["running_max"] == 8


def test_a_peak_moves_into_the_minute_of_the_next_row(engine: Engine) -> None:
    for wait_ms in (10_000, 10_000, 70_000, 41_000):
        engine.tick(Second(), wait_ms)
    engine.ledger.conn.execute(
        "UPDATE reading_rows SET running_max = 99 WHERE ts_ms = ?", (START_MS + 20_000,)
    )
    thin(engine.ledger, engine.run_id, engine.ms, 120_000)
    assert _seconds(engine) == [0, 90, 131]
    window = read_window(engine.ledger, engine.engine_id, START_MS, engine.ms)
    assert window is not None
    assert window.maxima["running_max"] == 99


def test_tidy_thins_only_what_is_old_and_then_rests(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.run(600)
    monkeypatch.setattr(retention, "CHUNK_ROWS", 200)
    assert not tidy(engine.ledger, START_MS + KEEP_ALL_MS - 1)
    assert _seconds(engine) == list(range(601))
    now_ms = START_MS + KEEP_ALL_MS + 305_000
    calls = 0
    while tidy(engine.ledger, now_ms):
        calls += 1
    assert 1 < calls < 10
    assert _seconds(engine) == [*range(0, 300, 60), *range(300, 601)]
    while tidy(engine.ledger, now_ms + 3_600_000):
        pass
    assert _seconds(engine) == _minutely(engine)


def test_tidy_ends_for_a_run_that_ended_after_a_gap(engine: Engine) -> None:
    engine.run(100)
    engine.tick(Second(), step_ms=3_600_000)
    engine.start()
    for _ in range(5):
        if not tidy(engine.ledger, engine.ms + KEEP_ALL_MS + 3_600_000):
            break
    else:
        pytest.fail("tidy never came to rest")
    assert _seconds(engine)[:2] == [0, 60]


def test_device_rows_of_several_devices_are_thinned_each(engine: Engine) -> None:
    engine.device = None
    ids = [upsert_device(engine.ledger, Device("gpu", uuid, "H200")) for uuid in "ab"]
    for second in range(1, 121):
        at_ms = engine.ms + second * 1_000
        held = [DeviceReading(1, one, at_ms, second, second, memory_max_mib=second) for one in ids]
        append(engine.ledger, Reading(1, at_ms, {}, {}), held)
    thin(engine.ledger, 1, engine.ms + 120_000, 60_000)
    rows = engine.ledger.conn.execute(
        "SELECT device_id, ts_ms - ?, memory_max_mib FROM device_readings ORDER BY 1, 2",
        (engine.ms,),
    ).fetchall()
    per_device = [(1_000, 1), (60_000, 60), (120_000, 120)]
    assert [row[1:] for row in rows if row[0] == ids[1]] == per_device
    assert [row[1:] for row in rows if row[0] == ids[0]] == per_device
