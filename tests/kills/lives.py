"""One recorder after the other on one engine, each killed."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from store.clock import now_ms
from store.tables.recorders import STALE_MS
from tests.fakes.growing_engine import GrowingEngine
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
EVERY_S = 1.0
"""The interval that `trimtab record` has by itself."""
_LONGEST_START_S = 7.0
"""About what a recorder needs to its first reading: the lease of the one before runs out first."""


@dataclass(frozen=True)
class Life:
    """A recorder's, from its start to its kill, and until the kernel had ended it. The lease of the
    one before still had `lease_ms` to run when it began."""

    lease_ms: int
    began_ms: int
    killed_ms: int
    ended_ms: int


def live_and_die(engine: GrowingEngine, db: Path, chance: random.Random) -> Life:
    """Start a recorder of the engine and kill it at a moment that chance picks.

    Half of these moments lie in the very instants in which a reading is stored, a quarter anywhere
    between readings, a quarter anywhere from the start on.
    """
    pages_before = len(engine.pages)
    began_ms = now_ms()
    lease_ms = _lease_ms(engine, db, began_ms)
    command = [sys.executable, "-m", "app", "record", engine.url, "--db", str(db)]
    process = subprocess.Popen(
        [*command, "--every", f"{EVERY_S:g}s"],
        cwd=ROOT,
        env=os.environ | {"TRIMTAB_DATA_DIR": str(db.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        moment = chance.random()
        if moment < 0.25:
            time.sleep(chance.uniform(0.0, _LONGEST_START_S))
        else:
            wanted = pages_before + chance.choice((1, 2, 2, 3))
            wait_until(lambda: len(engine.pages) >= wanted)
            time.sleep(chance.uniform(0.0, 0.05 if moment < 0.75 else EVERY_S))
    finally:
        killed_ms = now_ms()
        process.kill()
        process.wait()
    return Life(lease_ms, began_ms, killed_ms, now_ms())


def _lease_ms(engine: GrowingEngine, db: Path, at_ms: int) -> int:
    """How long nobody can take the engine over yet."""
    if not db.exists():
        return 0
    with closing(sqlite3.connect(db, timeout=60)) as connection:
        row = connection.execute(
            "SELECT beat_ms FROM recorders JOIN engines ON id = engine_id WHERE url = ?",
            (engine.url,),
        ).fetchone()
    return max(0, row[0] + STALE_MS - at_ms) if row else 0
