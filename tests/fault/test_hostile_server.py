"""A recorder facing servers that misbehave: nothing false is stored, and it recovers."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.engine_info import EngineInfo
from engines.recording.recorder import Recorder
from store.ledger.connection import Ledger
from store.reading_columns import CUMULATIVE_VALUES
from store.records import EngineRow
from store.tables import events, readings, recorders, runs
from store.tables.engines import find_engine
from tests.addresses import nobody
from tests.hostile_pages import HOSTILE
from tests.servers import REAL_PAGE, Answer, Server, drips, hangs, reply, says, serving
from tests.waiting import wait_until

EVERY_S = 0.1


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(says(reply(REAL_PAGE))) as running:
        yield running


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


class Recording:
    """A recorder of one server and what is in its ledger."""

    def __init__(self, server: Server, db: Path) -> None:
        self.recorder = Recorder(db, [EngineInfo(server.url, "engine")], EVERY_S)
        self.recorder.start()
        self.ledger = Ledger.open(db)
        self.url = server.url
        wait_until(lambda: find_engine(self.ledger, self.url) is not None)

    @property
    def engine(self) -> EngineRow:
        found = find_engine(self.ledger, self.url)
        assert found is not None
        return found

    def rows(self) -> int:
        (count,) = self.ledger.conn.execute("SELECT count(*) FROM readings").fetchone()
        return int(count)

    def grows(self) -> None:
        before = self.rows()
        wait_until(lambda: self.rows() > before + 1)

    def close(self) -> None:
        self.recorder.stop()
        self.ledger.close()


@pytest.fixture
def recording(server: Server, db: Path) -> Iterator[Recording]:
    one = Recording(server, db)
    yield one
    one.close()


def check_only_grows(ledger: Ledger) -> None:
    """Every row of every run is at least the row before it, in every cumulative column."""
    columns = ", ".join(CUMULATIVE_VALUES)
    for (run_id,) in ledger.conn.execute("SELECT id FROM runs").fetchall():
        before: tuple[int | None, ...] | None = None
        query = f"SELECT ts_ms, {columns} FROM readings WHERE run_id = ? ORDER BY ts_ms"
        for row in ledger.conn.execute(query, (run_id,)):
            for was, now in zip(before or row, row, strict=True):
                assert was is None or (now is not None and now >= was)
            before = row


@pytest.mark.parametrize("kind", HOSTILE)
def test_unreadable_with_its_reason_and_nothing_stored_then_well_again(
    kind: str, server: Server, recording: Recording
) -> None:
    answer, reason = HOSTILE[kind]
    recording.grows()
    server.now(answer)
    wait_until(lambda: recording.engine.state == "unreadable")
    wait_until(lambda: reason in recording.engine.state_reason)
    rows, asked = recording.rows(), len(server.requests)
    wait_until(lambda: len(server.requests) > asked + 1)
    assert recording.rows() == rows
    assert recording.engine.state_reason.isprintable()
    server.now(says(reply(REAL_PAGE)))
    wait_until(lambda: recording.engine.state == "ok")
    recording.grows()
    check_only_grows(recording.ledger)
    assert len(runs.list_runs(recording.ledger, recording.engine.id, 0, 2**62)) == 1
    told = [event.text for event in events.recent(recording.ledger, recording.engine.id, 9)]
    assert [text.split(":")[0] for text in reversed(told)] == ["new run", "unreadable", "ok"]


def test_nobody_there_at_first(db: Path) -> None:
    with nobody() as url, Ledger.open(db) as ledger:
        recorder = Recorder(db, [EngineInfo(url, "engine")], EVERY_S)
        recorder.start()
        wait_until(lambda: (row := find_engine(ledger, url)) is not None and row.state != "ok")
        row = find_engine(ledger, url)
        assert row is not None
        assert (row.state, row.state_reason) == ("unreadable", "connection refused")
        assert runs.latest_run(ledger, row.id) is None
        recorder.stop()


@pytest.mark.parametrize("answer", [hangs, drips(reply(b"", length=10_000), b"x")])
def test_stopping_takes_two_seconds_at_most(
    answer: Answer, server: Server, recording: Recording
) -> None:
    server.now(answer)
    asked = len(server.requests)
    wait_until(lambda: len(server.requests) > asked)
    began = time.monotonic()
    recording.recorder.stop()
    assert time.monotonic() - began < 2.5
    now_ms = time.time_ns() // 1_000_000
    assert recorders.live(recording.ledger, recording.engine.id, now_ms) is None


def test_the_next_recorder_goes_on_with_the_run(server: Server, db: Path) -> None:
    for _ in range(3):
        one = Recording(server, db)
        one.grows()
        one.close()
    with Ledger.open(db) as ledger:
        engine = find_engine(ledger, server.url)
        assert engine is not None
        assert len(runs.list_runs(ledger, engine.id, 0, 2**62)) == 1
        check_only_grows(ledger)


def test_two_recorders_share_no_engine_and_the_second_takes_over(server: Server, db: Path) -> None:
    first, second = Recording(server, db), Recording(server, db)
    first.grows()
    now_ms = time.time_ns() // 1_000_000
    owner = recorders.live(first.ledger, first.engine.id, now_ms)
    first.close()
    second.grows()
    now_ms = time.time_ns() // 1_000_000
    assert recorders.live(second.ledger, second.engine.id, now_ms) not in (None, owner)
    check_only_grows(second.ledger)
    second.close()


CHILD = """
import sys, time
from pathlib import Path
from engines.engine_info import EngineInfo
from engines.recording.recorder import Recorder
Recorder(Path(sys.argv[1]), [EngineInfo(sys.argv[2], "engine")], 0.05).start()
time.sleep(60)
"""


@pytest.mark.parametrize("after_s", [0.0, 0.13, 0.31])
def test_killed_at_any_moment_it_loses_at_most_the_last_interval(
    after_s: float, server: Server, db: Path
) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(db), server.url])
    try:
        wait_until(lambda: db.exists() and _readings(db) > 3)
        time.sleep(after_s)
        os.kill(child.pid, signal.SIGKILL)
        killed_ms = time.time_ns() // 1_000_000
    finally:
        child.kill()
        child.wait()
    connection = sqlite3.connect(db)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (last_ms,) = connection.execute("SELECT max(ts_ms) FROM readings").fetchone()
    connection.close()
    assert killed_ms - last_ms < 1_000
    with Ledger.open(db) as ledger:
        ledger.conn.execute("UPDATE recorders SET beat_ms = beat_ms - 6000")  # as if it were stale
    one = Recording(server, db)
    one.grows()
    check_only_grows(one.ledger)
    last = readings.last(one.ledger, 1)
    assert last is not None
    assert last.ts_ms > last_ms
    one.close()


def _readings(db: Path) -> int:
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM readings").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        connection.close()
