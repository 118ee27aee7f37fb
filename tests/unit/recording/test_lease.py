"""The lease: kept between readings, for no write of its own beside them, and let go in a hang."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from engines.engine_info import EngineInfo
from engines.recording import engine_recorder, ledger_writes, read_deadline
from engines.recording.recorder import Recorder
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.tables import recorders
from store.tables.engines import find_engine
from tests.servers import REAL_PAGE, Answer, hangs, reply, says, serving
from tests.unit.recording.test_recorder import rows
from tests.waiting import wait_until


@contextmanager
def recording(db: Path, answer: Answer, every_s: float) -> Iterator[str]:
    """One engine recorded; gives its address."""
    with serving(answer) as server:
        recorder = Recorder(db, [EngineInfo(server.url, "engine", vllm_version="0+cpu")], every_s)
        recorder.start()
        try:
            yield server.url
        finally:
            recorder.stop()


def beats(db: Path, seconds: float) -> list[int]:
    """The heartbeats that stand in the ledger within so long, one after another."""
    seen: list[int] = []
    until = time.monotonic() + seconds
    with Ledger.open(db, readonly=True) as ledger:
        while time.monotonic() < until:
            row = ledger.conn.execute("SELECT beat_ms FROM recorders").fetchone()
            if row is not None and row[0] not in seen:
                seen.append(row[0])
            time.sleep(0.02)
    return seen


def test_a_heartbeat_is_written_once_a_second_however_often_is_read(tmp_path: Path) -> None:
    db = tmp_path / "l.db"
    with recording(db, says(reply(REAL_PAGE)), 0.2):
        wait_until(lambda: rows(db) > 2)
        seen = beats(db, 3.5)
    assert 3 <= len(seen) <= 5
    assert all(after - before >= 1_000 for before, after in pairwise(seen))


def test_readings_each_second_keep_the_lease_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, alone = [0], [0]
    keep, store = ledger_writes.keep_lease, ledger_writes.store_reading

    def counted(*words: object) -> None:
        kept[0] += 1
        keep(*words)  # type: ignore[arg-type]

    def stored(*words: object) -> bool:
        alone[0] += 1
        return store(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger_writes, "keep_lease", counted)
    monkeypatch.setattr(ledger_writes, "store_reading", stored)
    db = tmp_path / "l.db"
    with recording(db, says(reply(REAL_PAGE)), 1.0):
        wait_until(lambda: rows(db) > 5)
    assert kept[0] - alone[0] <= 1  # that of the run's beginning


def test_an_answer_that_takes_long_does_not_lose_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At an interval at which readings alone keep it, but not while one is waited for."""
    monkeypatch.setattr(recorders, "STALE_MS", 1_000)
    monkeypatch.setattr(recorders, "BEAT_MS", 100, raising=False)
    monkeypatch.setattr(engine_recorder, "BEAT_EVERY_S", 0.2)

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(REAL_PAGE))
        await writer.drain()
        await hangs(reader, writer)

    db = tmp_path / "l.db"
    with recording(db, slowly, 0.15) as url:
        wait_until(lambda: rows(db) > 0)
        with Ledger.open(db, readonly=True) as ledger:
            row = find_engine(ledger, url)
            assert row is not None
            until = time.monotonic() + 6
            while time.monotonic() < until:
                assert recorders.live(ledger, row.id, now_ms()) is not None
                time.sleep(0.05)


def test_a_recorder_that_makes_no_turn_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorders, "STALE_MS", 1_000)
    monkeypatch.setattr(recorders, "BEAT_MS", 100, raising=False)
    monkeypatch.setattr(engine_recorder, "BEAT_EVERY_S", 0.2)
    monkeypatch.setattr(read_deadline, "DEADLINE_S", 0.5)
    hung: list[bool] = []

    async def never(self: engine_recorder.EngineRecorder) -> list[object]:
        if not hung:  # the first recorder's
            hung.append(True)
            await asyncio.sleep(3600)
        return []

    monkeypatch.setattr(engine_recorder.EngineRecorder, "devices", never)
    db = tmp_path / "l.db"
    with serving(says(reply(REAL_PAGE))) as server:
        engine = EngineInfo(server.url, "engine", vllm_version="0+cpu")
        first = Recorder(db, [engine], 0.4)
        first.start()
        wait_until(lambda: hung)
        began, second = time.monotonic(), Recorder(db, [engine], 0.4)
        second.start()
        try:
            wait_until(lambda: rows(db) > 0, 20)
            assert time.monotonic() - began > 1.5  # not before it was sure to hang
        finally:
            first.stop()
            second.stop()
