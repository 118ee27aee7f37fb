"""Recorders that share a ledger, lose it, or cannot begin with an engine."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines.discovery.api_keys import NO_KEY
from engines.engine_info import EngineInfo
from engines.metrics_page import read
from engines.recording import engine_recorder, knob_watch
from engines.recording.accumulate import Accumulator, Scrape
from engines.recording.cards.card_watch import CardWatch
from engines.recording.devices.neighbours import Neighbours
from engines.recording.engine_recorder import EngineRecorder
from engines.recording.knob_watch import KnobWatch
from engines.recording.ledger_writes import LeaseLost
from engines.recording.recorder import Recorder
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.records import KnobState
from store.tables import engines, events, knobs, readings, recorders
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
            delete(db)
            page[0] = restarted
            wait_until(lambda: db.exists() and rows(db) > 2)
        finally:
            recorder.stop()


def delete(db: Path) -> None:
    for part in db.parent.glob(f"{db.name}*"):
        part.unlink()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[EngineRecorder, EngineRecorder]]:
    """Two engines of one recorder, not begun yet."""
    writer = LedgerWriter(tmp_path / "l.db")
    writer.start()
    with ThreadPoolExecutor(2) as threads:
        one, other = (
            EngineRecorder(
                EngineInfo(url, "engine"),
                writer,
                threads,
                Neighbours(),
                CardWatch(writer, threads, owner="me@here:1", every_s=1.0),
                owner="me@here:1",
                every_s=1.0,
                keys=NO_KEY,
            )
            for url in ("http://127.0.0.1:1", "http://127.0.0.1:2")
        )
        yield one, other
    writer.close()


async def test_engines_keep_apart_in_a_new_ledger(
    tmp_path: Path, pair: tuple[EngineRecorder, EngineRecorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives out the ids of the deleted one anew, to whoever comes first."""
    late, early = pair
    sample, event = read(REAL_PAGE), "what it tells makes no sense"
    await late._take_lease()
    await early._take_lease()
    run = await early.open_run(sample, 1_000, "")
    delete(tmp_path / "l.db")
    assert await early.store(Accumulator(run.run_id, 1.0).add(Scrape(1_000, 0, sample)), [], {})
    assert early.problem is not None  # that reading found the ledger gone
    await early._take_lease()
    assert (early._engine_id, late._engine_id) == (1, 1)
    run = await early.open_run(sample, 2_000, "")
    reading = Accumulator(run.run_id, 1.0).add(Scrape(2_000, 0, sample))
    for break_in in (
        lambda: late.open_run(sample, 2_000, ""),
        lambda: late.store(reading, [], {}),
        lambda: late.unreadable("HTTP 500", 2_000),
        lambda: late._tell_knobs(event),
        lambda: late._write(late._keep_lease),
    ):
        with pytest.raises(LeaseLost):
            await break_in()
    monkeypatch.setattr(engine_recorder, "FAULT_PAUSE_S", 0.0)
    await late._tell_fault(ZeroDivisionError())
    watch = KnobWatch(late._submit)
    monkeypatch.setattr(knob_watch, "read_journal", lambda *_: [])
    monkeypatch.setattr(knob_watch, "read_knobs", lambda *_: [KnobState("k", "live", 1, 1, 0, 9)])
    await asyncio.to_thread(watch.copy, [tmp_path], 1, run.run_id)
    assert watch.problem == ""
    with Ledger.open(tmp_path / "l.db") as ledger:
        assert [row.name for row in engines.list_engines(ledger)] == ["engine"]
        began, taken_up = (line.text for line in events.recent(ledger, 1, 9))
        assert began.startswith("recorded here from now on"), began
        assert taken_up == "new run"
        assert readings.last(ledger, run.run_id) is None
        assert knobs.current(ledger, run.run_id) == []


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


def test_an_engine_that_cannot_be_begun_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.recording.recorder.FIND_FIRST_EVERY_S", 0.05)
    db, begin, broken = tmp_path / "l.db", Recorder._begin, [True]

    def begin_some(self: Recorder, engine: EngineInfo) -> asyncio.Task[None]:
        if engine.name == "first" and broken[0]:
            raise ZeroDivisionError("a fault of ours")
        return begin(self, engine)

    monkeypatch.setattr(Recorder, "_begin", begin_some)
    with serving(says(reply(REAL_PAGE))) as one, serving(says(reply(REAL_PAGE))) as other:
        recorder = Recorder(db, [EngineInfo(one.url, "first"), EngineInfo(other.url, "sound")], 0.2)
        recorder.start()
        try:
            wait_until(lambda: db.exists() and rows(db) > 1)
            assert "first cannot be recorded" in str(recorder.problem)
            assert "ZeroDivisionError: a fault of ours" in str(recorder.problem)
            broken[0] = False
            wait_until(lambda: one.requests and recorder.problem is None)
        finally:
            recorder.stop()


def test_looking_that_breaks_is_told_until_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.recording.recorder.FIND_FIRST_EVERY_S", 0.05)
    broken = [True]

    def find() -> list[EngineInfo]:
        if broken[0]:
            raise PermissionError("/proc")
        return []

    recorder = Recorder(tmp_path / "l.db", find, 0.2)
    recorder.start()
    try:
        wait_until(lambda: "Looking for engines broke" in str(recorder.problem))
        broken[0] = False
        wait_until(lambda: recorder.problem is None)
    finally:
        recorder.stop()


def test_an_engine_whose_recording_ended_is_told_and_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.recording.recorder.FIND_FIRST_EVERY_S", 0.5)
    db, run, ends = tmp_path / "l.db", EngineRecorder.run, [True]

    async def ending(self: EngineRecorder) -> None:
        if ends:
            raise MemoryError(ends.pop())
        await run(self)

    monkeypatch.setattr(EngineRecorder, "run", ending)
    with serving(says(reply(REAL_PAGE))) as server:
        recorder = Recorder(db, [EngineInfo(server.url, "engine")], 0.2)
        recorder.start()
        try:
            wait_until(lambda: "Recording engine ended" in str(recorder.problem))
            wait_until(lambda: rows(db) > 1)
            assert recorder.problem is None
        finally:
            recorder.stop()
