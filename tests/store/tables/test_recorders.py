"""One recorder per engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from store.ledger.connection import Ledger
from store.tables.engines import upsert_engine
from store.tables.recorders import STALE_MS, acquire, beat, live, release
from tests.store.synthetic import make_engine

NOW = 1_800_000_000_000
ROOT = Path(__file__).parents[3]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return make_engine(tmp_path / "l.db").ledger


def test_the_first_records_until_it_lets_go(ledger: Ledger) -> None:
    assert live(ledger, 1, NOW) is None
    assert acquire(ledger, 1, "a", NOW)
    assert acquire(ledger, 1, "a", NOW + 1)
    assert not acquire(ledger, 1, "b", NOW + 2)
    assert live(ledger, 1, NOW + 2) == "a"
    release(ledger, 1, "b")
    assert live(ledger, 1, NOW + 2) == "a"
    release(ledger, 1, "a")
    assert live(ledger, 1, NOW + 2) is None
    assert acquire(ledger, 1, "b", NOW + 3)


def test_a_recorder_that_stops_beating_is_replaced_and_learns_of_it(ledger: Ledger) -> None:
    acquire(ledger, 1, "a", NOW)
    assert beat(ledger, 1, "a", NOW + 1_000)
    assert not acquire(ledger, 1, "b", NOW + 1_000 + STALE_MS)
    assert live(ledger, 1, NOW + 1_001 + STALE_MS) is None
    assert acquire(ledger, 1, "b", NOW + 1_001 + STALE_MS)
    assert not beat(ledger, 1, "a", NOW + 1_002 + STALE_MS)
    assert live(ledger, 1, NOW + 1_002 + STALE_MS) == "b"


def test_a_heartbeat_is_written_once_a_second(ledger: Ledger) -> None:
    acquire(ledger, 1, "a", NOW)

    def writes(at_ms: int) -> bool:
        before = ledger.conn.total_changes
        assert beat(ledger, 1, "a", at_ms)
        return ledger.conn.total_changes > before

    times = (NOW + 200, NOW + 999, NOW + 1_000, NOW + 1_900, NOW + 2_000, NOW - 60_000)
    assert [writes(at_ms) for at_ms in times] == [False, False, True, False, True, True]


def test_a_clock_set_back_does_not_keep_an_engine_for_ever(ledger: Ledger) -> None:
    acquire(ledger, 1, "a", NOW + 3_600_000)
    assert live(ledger, 1, NOW) is None
    assert acquire(ledger, 1, "b", NOW)


def test_of_processes_that_race_exactly_one_wins(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "l.db")
    for number in range(20):
        upsert_engine(ledger, f"http://{number}", "e")
    code = (
        "import sys; from pathlib import Path; from store.ledger.connection import Ledger\n"
        "from store.tables.recorders import acquire\n"
        "ledger = Ledger.open(Path(sys.argv[1]))\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.readline()\n"
        f"print(*[k for k in range(1, 21) if acquire(ledger, k, sys.argv[2], {NOW})])"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "l.db"), str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = [racer.communicate(timeout=60)[0].split() for racer in racers]
    assert all(racer.returncode == 0 for racer in racers)
    assert sorted(int(number) for numbers in won for number in numbers) == list(range(1, 21))
    for owner, numbers in enumerate(won):
        assert all(live(ledger, int(number), NOW) == str(owner) for number in numbers)
