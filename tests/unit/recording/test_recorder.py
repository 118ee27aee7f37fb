"""Which run a reading belongs to, and what a recorder says of an engine whose process ends."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from engines.devices.host.host_device import host_device
from engines.discovery.find import probe
from engines.engine_info import EngineInfo
from engines.host import procfs
from engines.metrics_page import Sample, read
from engines.recording import wall_clock
from engines.recording.accumulate import Accumulator, Scrape
from engines.recording.cards.card_watch import CardWatch
from engines.recording.devices import held_devices
from engines.recording.devices.held_devices import HeldDevices
from engines.recording.devices.neighbours import Neighbours
from engines.recording.judging.judgement import Judgement
from engines.recording.ledger_writes import (
    LeaseLost,
    begin_run,
    keep_lease,
    say_state,
    store_reading,
)
from engines.recording.recorder import Recorder
from engines.recording.sampler import Run
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.records import RunInfo
from store.tables import events, readings, recorders, runs
from store.tables.engines import find_engine, upsert_engine
from tests.addresses import held_port
from tests.fakes.engine_trees import fake_engine
from tests.servers import REAL_PAGE, reply, says, serving
from tests.waiting import wait_until

INFO = RunInfo("http://127.0.0.1:1", "engine", pid=7, started_ms=1_760_000_000_000)
WALL = 1_760_000_100_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def engine_id(ledger: Ledger) -> int:
    return upsert_engine(ledger, INFO.url, INFO.name)


@pytest.fixture
def sample() -> Sample:
    return read(REAL_PAGE)


def begin(ledger: Ledger, engine_id: int, sample: Sample, info: RunInfo = INFO) -> int:
    """Begin or go on with a run, and store one reading in it."""
    bounded = replace(info, bounds=sample.bounds)
    run = begin_run(ledger, engine_id, bounded, sample, at_ms=WALL, why="")
    accumulator = Accumulator(run.run_id, 1.0, run.last)
    assert store_reading(ledger, accumulator.add(Scrape(WALL, 0, sample)), [])
    return run.run_id


def with_tokens(sample: Sample, tokens: int) -> Sample:
    return replace(sample, counters={**sample.counters, "prompt_tokens": tokens})


def test_the_same_life_goes_on(ledger: Ledger, engine_id: int, sample: Sample) -> None:
    first = begin(ledger, engine_id, sample)
    shifted = replace(INFO, started_ms=1_760_000_001_000)
    assert begin(ledger, engine_id, sample, shifted) == first
    assert len(events.recent(ledger, engine_id, 9)) == 1


@pytest.mark.parametrize("change", [{"pid": 8}, {"started_ms": 1_760_000_050_000}])
def test_another_process_is_another_run(
    ledger: Ledger, engine_id: int, sample: Sample, change: dict[str, int]
) -> None:
    first = begin(ledger, engine_id, sample)
    assert begin(ledger, engine_id, sample, replace(INFO, **change)) != first


def test_counters_that_begin_anew_are_another_run(
    ledger: Ledger, engine_id: int, sample: Sample
) -> None:
    unknown = replace(INFO, started_ms=None)
    first = begin(ledger, engine_id, with_tokens(sample, 50), unknown)
    assert begin(ledger, engine_id, with_tokens(sample, 51), unknown) == first
    anew = {name: 0 for name, value in sample.counters.items() if value is not None}
    empty = dict.fromkeys(sample.histograms)
    assert (
        begin(ledger, engine_id, replace(sample, counters=anew, histograms=empty), unknown) != first
    )


def test_one_counter_that_fell_is_left_out_until_the_next_life(
    ledger: Ledger, engine_id: int, sample: Sample
) -> None:
    first = begin(ledger, engine_id, with_tokens(sample, 50))
    lower = with_tokens(sample, 40)
    run = begin_run(
        ledger, engine_id, replace(INFO, bounds=sample.bounds), lower, at_ms=WALL, why=""
    )
    assert run.run_id == first
    believed = Judgement(run.last).believe(lower)
    assert believed.counters["prompt_tokens"] is None
    assert believed.counters["generation_tokens"] == sample.counters["generation_tokens"]
    assert "fell while the engine went on" in believed.doubts["prompt_tokens"]


def test_a_run_that_an_act_opened_is_taken_over(
    ledger: Ledger, engine_id: int, sample: Sample
) -> None:
    opened = runs.open_run(ledger, engine_id, INFO, WALL - 5_000)
    assert begin(ledger, engine_id, sample) == opened
    latest = runs.latest_run(ledger, engine_id)
    assert latest is not None
    assert latest.info.bounds == sample.bounds


def test_a_reading_that_falls_is_refused(ledger: Ledger, engine_id: int, sample: Sample) -> None:
    run_id = begin(ledger, engine_id, with_tokens(sample, 50))
    lower = Accumulator(run_id, 1.0).add(Scrape(WALL + 1_000, 0, with_tokens(sample, 49)))
    assert not store_reading(ledger, lower, [])
    last = readings.last(ledger, run_id)
    assert last is not None
    assert last.values["prompt_tokens"] == 50


def test_a_state_is_told_once(ledger: Ledger, engine_id: int) -> None:
    for reason in ("HTTP 500", "HTTP 500", "HTTP 502"):
        say_state(ledger, engine_id, "unreadable", reason, WALL)
    say_state(ledger, engine_id, "ok", "", WALL + 1)
    told = [event.text for event in events.recent(ledger, engine_id, 9)]
    assert told == ["ok", "unreadable: HTTP 500"]


def test_a_lost_lease_is_an_error(ledger: Ledger, engine_id: int) -> None:
    assert recorders.acquire(ledger, engine_id, "me", WALL)
    keep_lease(ledger, engine_id, "me", WALL + 1_000)
    assert recorders.acquire(ledger, engine_id, "another", WALL + 60_000)
    with pytest.raises(LeaseLost):
        keep_lease(ledger, engine_id, "me", WALL + 61_000)


def card_watch(folder: Path, threads: Executor) -> CardWatch:
    """One that is not begun, and writes nothing."""
    return CardWatch(LedgerWriter(folder / "l.db"), threads, owner="me@here:1", every_s=1.0)


async def test_cpu_engines_share_the_host(tmp_path: Path) -> None:
    neighbours = Neighbours()
    with (
        ThreadPoolExecutor(1) as threads,
        fake_engine(tmp_path / "a", "m") as a,
        fake_engine(tmp_path / "b", "m") as b,
    ):
        cards = card_watch(tmp_path, threads)
        one, two = (HeldDevices(threads, neighbours, cards) for _ in range(2))
        first = EngineInfo(a.url, "a", pid=a.pid, vllm_version="0.32.0+cpu")
        second = EngineInfo(b.url, "b", pid=b.pid, vllm_version="0.32.0+cpu")
        ((device, _),) = await one.sample(first)
        assert device == host_device()
        assert device.kind == "host"
        assert device.name
        ((_, of_second),) = await two.sample(second)
        ((_, of_first),) = await one.sample(first)
        # Other engines may run on the machine that tests.
        assert 0 < of_first.share_ppm + of_second.share_ppm <= 1_000_000
        assert of_first.held_ppm_us is not None and of_first.held_ppm_us > 0
        assert all(", by CPU time" in note.shared for note in one.notes)
        assert await one.sample(replace(first, pid=None)) == []


async def test_what_is_not_seen_is_looked_for_in_a_thread_and_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[threading.Thread] = []
    monkeypatch.setattr(
        held_devices, "seen_on_cpu", lambda _: looked.append(threading.current_thread())
    )
    engine = EngineInfo("http://a", "a", pid=2**22 + 41, vllm_version="0.32.0")
    with ThreadPoolExecutor(1) as threads:
        devices = HeldDevices(threads, Neighbours(), card_watch(tmp_path, threads))
        for _ in range(3):
            assert await devices.sample(engine) == []
        assert devices.why_unknown
        assert await devices.sample(replace(engine, pid=2**22 + 42)) == []
    assert len(looked) == 2
    assert threading.main_thread() not in looked


CHILD = """
import http.server, pathlib, sys
page = pathlib.Path(sys.argv[1]).read_bytes()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_an_engine_whose_process_ended_is_gone(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(REAL_PAGE)
    db = tmp_path / "ledger.db"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(page)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        url = f"http://127.0.0.1:{int(child.stdout.readline())}"
        process = procfs.read_process(child.pid)
        assert process is not None
        engine = EngineInfo(
            url, "engine", pid=child.pid, started_ms=process.started_ms, vllm_version="0+cpu"
        )
        recorder = Recorder(db, [engine], 0.1)
        recorder.start()
        with Ledger.open(db) as ledger:

            def state() -> str | None:
                row = find_engine(ledger, url)
                return None if row is None or row.state_ms is None else row.state

            wait_until(lambda: state() == "ok")
            child.kill()
            child.wait()
            wait_until(lambda: state() == "gone")
            row = find_engine(ledger, url)
            assert row is not None
            assert row.state_reason == f"its process {child.pid} has ended"
            held = readings.last_devices(ledger, 1)
            assert [one.device_id for one in held] == [1]
        recorder.stop()


def test_engines_that_come_later_are_found(tmp_path: Path) -> None:
    found: list[EngineInfo] = []
    db = tmp_path / "ledger.db"
    recorder = Recorder(db, lambda: list(found), 0.1)
    recorder.start()
    with serving(says(reply(REAL_PAGE))) as server, Ledger.open(db) as ledger:
        found.append(EngineInfo(server.url, "late"))
        wait_until(lambda: find_engine(ledger, server.url) is not None)
        recorder.stop()
    assert recorder.problem is None


def test_a_ledger_deleted_under_a_recorder_begins_anew(tmp_path: Path) -> None:
    db = tmp_path / "ledger.db"
    with serving(says(reply(REAL_PAGE))) as server:
        engine = EngineInfo(server.url, "engine", pid=os.getpid(), vllm_version="0+cpu")
        recorder = Recorder(db, [engine], 0.1)
        recorder.start()
        wait_until(lambda: rows(db) > 2)
        for part in tmp_path.glob("ledger.db*"):
            part.unlink()
        wait_until(lambda: rows(db) > 2)
        recorder.stop()
    assert recorder.problem is None


def test_a_recorder_thins_what_is_old(
    tmp_path: Path, ledger: Ledger, engine_id: int, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded = replace(INFO, bounds=sample.bounds)
    run = begin_run(ledger, engine_id, bounded, sample, at_ms=WALL, why="")
    accumulator = Accumulator(run.run_id, 1.0, run.last)
    for second in range(300):
        reading = accumulator.add(Scrape(WALL + 1_000 * second, second * 10**9, sample))
        assert store_reading(ledger, reading, [])
    monkeypatch.setattr("engines.recording.recorder.THIN_EVERY_S", 0.05)
    monkeypatch.setattr("engines.recording.recorder.THIN_PAUSE_S", 0.01)
    recorder = Recorder(tmp_path / "ledger.db", [], 0.1)
    recorder.start()
    time.sleep(0.5)
    assert rows(tmp_path / "ledger.db") == 300  # the clock may be wrong: it has to show that first
    recorder.stop()
    monkeypatch.setattr(wall_clock, "STEADY_S", 0.1)
    recorder = Recorder(tmp_path / "ledger.db", [], 0.1)
    recorder.start()
    wait_until(lambda: rows(tmp_path / "ledger.db") < 20)
    recorder.stop()


def test_a_clock_is_believed_once_it_has_gone_steadily(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = [0.0]
    monkeypatch.setattr(wall_clock.time, "monotonic", lambda: monotonic[0])
    clock = wall_clock.SteadyClock()

    def believed(at_s: float, jump_ms: int = 0) -> bool:
        monotonic[0] = at_s
        return clock.is_believed(WALL + round(at_s * 1000) + jump_ms)

    assert not believed(1.0)
    assert believed(3600.0)
    month_ms = 30 * 86_400_000
    assert not believed(3660.0, month_ms)
    assert not believed(3735.0, month_ms)
    assert not believed(3740.0)  # set right again
    assert believed(3740.0 + 3600.0)


def test_a_run_whose_last_reading_lies_in_the_future_is_not_gone_on_with(
    ledger: Ledger, engine_id: int, sample: Sample
) -> None:
    run_id = begin(ledger, engine_id, sample)
    bounded = replace(INFO, bounds=sample.bounds)
    again = begin_run(ledger, engine_id, bounded, sample, at_ms=WALL + 1_000, why="")
    assert again.run_id == run_id
    earlier = begin_run(ledger, engine_id, bounded, sample, at_ms=WALL - 3_600_000, why="")
    assert earlier.run_id != run_id


def test_what_breaks_the_recording_of_an_engine_is_told_and_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [True]

    def fail(*words: object, **named: object) -> Run:
        if broken[0]:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return begin_run(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("engines.recording.ledger_writes.begin_run", fail)
    monkeypatch.setattr("engines.recording.engine_recorder.FAULT_PAUSE_S", 0.05)
    db = tmp_path / "ledger.db"
    with serving(says(reply(REAL_PAGE))) as server:
        recorder = Recorder(db, [EngineInfo(server.url, "engine")], 0.1)
        recorder.start()
        wait_until(lambda: "OverflowError" in reason_of(db, server.url))
        broken[0] = False
        wait_until(lambda: rows(db) > 2)
        assert reason_of(db, server.url) == ""
        recorder.stop()


def reason_of(db: Path, url: str) -> str:
    with Ledger.open(db, readonly=True) as ledger:
        row = find_engine(ledger, url)
        return "" if row is None else row.state_reason


def rows(db: Path) -> int:
    """Readings in a ledger; 0 where there is none yet."""
    if not db.exists():
        return 0
    with contextlib.closing(sqlite3.connect(db)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM reading_rows").fetchone()[0])
        except sqlite3.Error:
            return 0


def test_who_takes_over_looks_the_engine_up(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another recorder had the lease the engine was swapped for another process."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("engines.recording.engine_recorder.LEASE_RETRY_S", 0.05)
    db, metrics = tmp_path / "ledger.db", REAL_PAGE.decode()
    with held_port() as port:
        with fake_engine(tmp_path / "a", "m", at_port=port, metrics=metrics) as before:
            found = probe(before.url)
            engine_id = upsert_engine(ledger, found.url, found.name)
            assert recorders.acquire(ledger, engine_id, "other@host:1", now_ms())
            recorder = Recorder(db, [found], 0.1)
            recorder.start()
            time.sleep(0.3)
        with fake_engine(tmp_path / "b", "m", at_port=port, metrics=metrics) as after:
            recorders.release(ledger, engine_id, "other@host:1")
            wait_until(lambda: runs.latest_run(ledger, engine_id) is not None)
            latest = runs.latest_run(ledger, engine_id)
            recorder.stop()
            assert latest is not None
            assert (latest.info.pid, before.pid != after.pid) == (after.pid, True)
