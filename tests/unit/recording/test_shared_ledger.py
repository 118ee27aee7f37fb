"""Recorders that share a ledger, lose it, or cannot begin with an engine."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from engines.engine_info import EngineInfo
from engines.recording import engine_recorder
from engines.recording.recorder import Recorder
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.tables import recorders
from tests.servers import REAL_PAGE, reply, says, serving
from tests.unit.recording.test_recorder import rows
from tests.waiting import wait_until


def test_a_deleted_ledger_and_a_restarted_engine_at_once_are_gone_on_with(tmp_path: Path) -> None:
    """The first word to the new ledger is a new run, of an engine that it does not know."""
    db, page = tmp_path / "l.db", [REAL_PAGE]
    restarted = re.sub(
        rb"(?m)^process_start_time_seconds .*$", b"process_start_time_seconds 1.7999e+09", REAL_PAGE
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply(page[0]))
            await writer.drain()

    with serving(answer) as server:
        recorder = Recorder(db, [EngineInfo(server.url, "engine", vllm_version="0+cpu")], 0.2)
        recorder.start()
        try:
            wait_until(lambda: rows(db) > 2)
            for part in tmp_path.glob("l.db*"):
                part.unlink()
            page[0] = restarted
            wait_until(lambda: db.exists() and rows(db) > 2)
        finally:
            recorder.stop()


def test_two_recorders_with_readings_far_apart_leave_each_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is kept between readings, too."""
    monkeypatch.setattr(recorders, "STALE_MS", 1_000)
    monkeypatch.setattr(recorders, "BEAT_MS", 100)
    monkeypatch.setattr(engine_recorder, "BEAT_EVERY_S", 0.2)
    db, owners = tmp_path / "l.db", set()
    with serving(says(reply(REAL_PAGE))) as server:
        engine = EngineInfo(server.url, "engine", vllm_version="0+cpu")
        both = [Recorder(db, [engine], 3.0) for _ in range(2)]
        try:
            for recorder in both:
                recorder.start()
            wait_until(lambda: db.exists() and rows(db) > 0)
            until = time.monotonic() + 7
            while time.monotonic() < until:
                with Ledger.open(db, readonly=True) as ledger:
                    owners.add(recorders.live(ledger, 1, now_ms()))
                time.sleep(0.1)
        finally:
            for recorder in both:
                recorder.stop()
    assert len(owners) == 1 and None not in owners


def test_an_engine_that_cannot_be_begun_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, begin = tmp_path / "l.db", Recorder._begin

    def broken(self: Recorder, engine: EngineInfo) -> asyncio.Task[None]:
        if engine.name == "broken":
            raise ZeroDivisionError
        return begin(self, engine)

    monkeypatch.setattr(Recorder, "_begin", broken)
    with serving(says(reply(REAL_PAGE))) as server:
        engines = [EngineInfo("http://127.0.0.1:1", "broken"), EngineInfo(server.url, "sound")]
        recorder = Recorder(db, engines, 0.2)
        recorder.start()
        try:
            wait_until(lambda: db.exists() and rows(db) > 1)
        finally:
            recorder.stop()
