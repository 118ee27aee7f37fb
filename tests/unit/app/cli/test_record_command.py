"""`trimtab record`: what it says where nothing was stored, and going on after one was killed."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from app.cli.shared.recording import free_engines
from app.cli.watching import record
from engines.engine_info import EngineInfo
from engines.recording.recorder import Recorder
from store.clock import now_ms
from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.tables import engines, recorders
from tests.servers import REAL_PAGE, reply, says, serving
from tests.unit.app.cli.cli_runner import Cli

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
        raise LedgerUnusable("The ledger is truncated")

    monkeypatch.setattr("app.text.status_line.status_line", fail)
    monkeypatch.setattr(record, "STATUS_EVERY_S", 0.2)
    with serving(says(reply(REAL_PAGE))) as server:
        ran = cli("record", server.url, "--for", "2s")
    assert ran.code == 0, ran.err
    assert "The ledger is truncated" in ran.err
