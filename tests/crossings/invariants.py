"""What must hold after every cell."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

from store.ledger.connection import Ledger
from tests.crossings.acts import START, Act
from tests.crossings.faults import Fault
from tests.crossings.world import KNOB, World, value_at
from tests.waiting import PATIENCE_S, wait_until


def check(world: World, act: Act, fault: Fault) -> None:
    """The engine is as the act or as its absence left it, the ledger tells the truth, nobody else
    was touched, and trimtab works."""
    if not fault.ends_engine:
        wait_until(lambda: world.value() in act.values)
    assert world.bystander.poll() is None, "somebody else's process was ended"
    assert not world.twin or value_at(world.twin) == START, "another engine was turned"
    assert all(process.returncode in (0, 1, 2, 3, -9) for process in world.asked[1:])
    if not fault.loses_ledger:
        _ledger_is_true(world, fault)
    told = subprocess.run(
        [sys.executable, "-m", "app", "engines", "--json"],
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    listed = [engine["url"] for engine in json.loads(told.stdout)]
    assert (world.engine.url in listed) is not fault.ends_engine


def _ledger_is_true(world: World, fault: Fault) -> None:
    with sqlite3.connect(f"file:{world.db}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = [row[0] for row in connection.execute("SELECT id FROM changes")]
        runs = connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    assert len(ids) == len(set(ids))
    if fault.ends_engine:
        return
    assert runs == 1 or fault.steps_clock, "one life of the engine is one run"
    if world.recorder.poll() is None and _last_told(world) is not None:
        # Whoever records copies the engine's own journal: what it tells last is what is in force.
        wait_until(lambda: _last_told(world) == world.value())


def _last_told(world: World) -> int | None:
    with Ledger.open(world.db, readonly=True) as ledger:
        row = ledger.conn.execute(
            "SELECT to_value FROM changes WHERE knob = ? AND outcome = 'applied' "
            "ORDER BY rowid DESC LIMIT 1",
            (KNOB,),
        ).fetchone()
    return None if row is None else int(row[0])
