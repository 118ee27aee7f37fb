"""`trimtab record`: what it says where nothing was stored, and going on after one was killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.cli.shared.beside import Breakage
from app.cli.shared.recording import free_engines
from app.cli.watching import record
from engines.engine_info import EngineInfo
from engines.recording.recorder import Recorder
from store.clock import now_ms
from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.ledger.identity import NotALedger
from store.ledger.troubles import LedgerDamaged, LedgerRefused
from store.tables import engines, recorders
from tests.servers import REAL_PAGE, reply, says, serving
from tests.unit.app.cli.cli_runner import Cli
from tests.unit.recording.test_recorder import rows
from tests.waiting import wait_until

NO_PAGE = b'{"version": "0.32.0", "data": [{"id": "m"}]}'


def test_nothing_stored_did_not_hold(cli: Cli) -> None:
    with serving(says(reply(NO_PAGE))) as server:
        ran = cli("record", server.url, "--for", "2s")
    assert ran.code == 1
    assert "Nothing was recorded" in ran.err
    assert "not a page of metrics" in ran.err


def test_a_ledger_that_cannot_be_written_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "STATUS_EVERY_S", 0.1)

    def problem(_: Recorder) -> LedgerUnusable:
        signal.raise_signal(signal.SIGTERM)  # told once is enough
        return LedgerUnusable("The ledger", "The disk is full")

    monkeypatch.setattr(Recorder, "problem", property(problem))
    with serving(says(reply(NO_PAGE))) as server:
        ran = cli("record", server.url, "--for", "60s")
    assert "The disk is full" in ran.err


def test_a_killed_recorder_does_not_stand_in_the_way(cli: Cli) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    one = EngineInfo("http://127.0.0.1:9", "engine")
    with Ledger.open(cli.db) as ledger:
        engine_id = engines.upsert_engine(ledger, one.url, one.name)

        def held_by(owner: str) -> bool:
            ledger.conn.execute("DELETE FROM recorders")
            recorders.acquire(ledger, engine_id, owner, now_ms())
            return not free_engines(ledger, [one])

        here = socket.gethostname()
        assert held_by(f"{os.getpid()}@{here}:1")
        assert held_by(f"{gone.pid}@elsewhere:1")
        assert not held_by(f"{gone.pid}@{here}:1")


def test_a_status_line_that_cannot_be_read_ends_no_recording(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise LedgerUnusable("The ledger is truncated")  # not known to last

    monkeypatch.setattr("app.text.status_line.status_line", fail)
    monkeypatch.setattr(record, "STATUS_EVERY_S", 0.2)
    with serving(says(reply(REAL_PAGE))) as server:
        ran = cli("record", server.url, "--for", "2s")
    assert ran.code == 0, ran.err
    assert "The ledger is truncated" in ran.err


def put_text(db: Path) -> None:
    other = db.with_name("other")
    other.write_text("no ledger")
    other.replace(db)


def overwrite(db: Path) -> None:
    db.write_bytes(b"no ledger" * 10_000)


def truncate(db: Path) -> None:
    os.truncate(db, db.stat().st_size // 2)


def empty(db: Path) -> None:
    os.truncate(db, 0)


@pytest.mark.parametrize("broken", [put_text, overwrite, truncate, empty])
def test_where_the_ledger_breaks_recording_goes_on_beside_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(record, "STATUS_EVERY_S", 0.3)
    beside, left = cli.data / "ledger-3.db", []
    cli.data.mkdir()
    (cli.data / "ledger-2.db").write_text("somebody's")

    def work() -> None:
        try:
            wait_until(lambda: rows(cli.db) > 2)
            broken(cli.db)
            left.append(cli.db.read_bytes())
            wait_until(lambda: rows(beside) > 2)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with serving(says(reply(REAL_PAGE))) as server, ThreadPoolExecutor(1) as threads:
        works = threads.submit(work)
        ran = cli("record", server.url, "--for", "300s", "--every", "200ms", "--json")
        works.result()
    assert ran.code == 0, ran.err
    assert f"Recording goes on in {beside}; {cli.db} gets no more" in ran.err
    assert ran.json["db"] == str(beside)
    assert beside.stat().st_mode & 0o777 == 0o600
    assert (cli.data / "ledger-2.db").read_text() == "somebody's"
    if broken is put_text:
        assert cli.db.read_bytes() == left[0]


def test_what_is_waited_for_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("app.cli.shared.beside.time.monotonic", lambda: now[0])
    full, refused = LedgerUnusable("l", "The disk is full"), LedgerRefused("l", "refused")
    breakage = Breakage()

    def lasts(at_s: float, problem: LedgerUnusable | None) -> bool:
        now[0] = at_s
        return breakage.lasts(problem) is not None

    assert [lasts(at_s, full) for at_s in (0, 1_000, 100_000)] == [False] * 3
    assert not lasts(100_001, refused)
    assert not lasts(100_050, refused)
    assert not lasts(100_055, None)  # it came to itself
    assert not lasts(100_062, refused)
    assert lasts(100_122, refused)
    assert lasts(100_123, LedgerDamaged("l"))
    assert Breakage().lasts(None, NotALedger("l")) is not None
