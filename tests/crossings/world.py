"""What a cell happens in: an engine, somebody who records it, a bystander, and a command line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engines.control.inside_path import INSIDE
from engines.control.knobs import read_knobs
from engines.discovery.find import probe
from engines.host.processes import engine_trees
from store.ledger.connection import Ledger
from store.records import KnobValue
from tests.crossings.surroundings import CLOCK, bystander, small_disk
from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.servers import REAL_PAGE
from tests.waiting import PATIENCE_S, wait_until

KNOB = "max_num_seqs"

Sockets = tuple[Path, ...]


@dataclass
class World:
    """One cell's surroundings. `asked` are the commands that were begun, oldest first, the recorder
    before all; `twin` is the sockets of an engine of the same name that came in the midst, `end`
    what is undone at the end."""

    home: Path
    engine: FakeEngine
    sockets: Sockets
    bystander: subprocess.Popen[bytes]
    end: contextlib.ExitStack
    asked: list[subprocess.Popen[bytes]] = field(default_factory=list)
    twin: Sockets = ()

    @property
    def disk(self) -> Path:
        """Where the ledger is."""
        return self.home / "disk"

    @property
    def db(self) -> Path:
        """The ledger."""
        return self.disk / "l.db"

    @property
    def clock(self) -> Path:
        """By how many seconds the clock is stepped."""
        return self.home / "clock"

    @property
    def recorder(self) -> subprocess.Popen[bytes]:
        """Who records from the beginning on."""
        return self.asked[0]

    def ask(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin a command of trimtab's."""
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *words, "--db", str(self.db)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | _stepped(self.home),
        )
        self.asked.append(process)
        return process

    def do(self, *words: str) -> None:
        """Run a command to its end, which must be good."""
        process = self.ask(*words)
        _, told = process.communicate(timeout=PATIENCE_S)
        self.asked.remove(process)
        assert process.returncode == 0, told

    def value(self) -> KnobValue | None:
        """The knob as the engine has it; None once the engine has ended."""
        return value_at(self.sockets) if self.engine_lives else None

    @property
    def engine_lives(self) -> bool:
        """Whether its EngineCore does, in which the knobs are."""
        return all(Path("/proc", path.stem).exists() for path in self.sockets)

    def kill_core(self) -> None:
        """End the process that holds the knobs."""
        for path in self.sockets:
            os.kill(int(path.stem), signal.SIGKILL)
        os.kill(self.engine.pid, signal.SIGKILL)

    def begin_twin(self) -> None:
        """Start another engine that calls itself as ours does."""
        _, self.twin = self.end.enter_context(_engine(self.home, "twin"))

    def wait(self) -> None:
        """Until every command that was asked has ended; the recorder goes on."""
        for process in self.asked[1:]:
            process.communicate(timeout=PATIENCE_S)


def value_at(sockets: Sockets) -> KnobValue | None:
    """The knob as an engine has it."""
    return next(knob.value for knob in read_knobs(sockets) if knob.name == KNOB)


@contextlib.contextmanager
def a_world(home: Path) -> Iterator[World]:
    """An engine that is recorded, and a process of somebody else's that looks like one."""
    (home / "clock").write_text("0")
    with (
        small_disk(home / "disk"),
        _engine(home, "engine") as (engine, sockets),
        bystander(home / "bystander") as other,
        contextlib.ExitStack() as end,
    ):
        world = World(home, engine, sockets, other, end)
        try:
            world.ask("record", engine.url)
            wait_until(lambda: _rows(world.db) > 1)
            yield world
        finally:
            for process in world.asked:
                process.kill()
                process.communicate()


@contextlib.contextmanager
def _engine(home: Path, directory: str) -> Iterator[tuple[FakeEngine, Sockets]]:
    clock = _stepped(home)
    env = clock | {"PYTHONPATH": f"{INSIDE}:{clock['PYTHONPATH']}"}
    page = REAL_PAGE.decode()
    with fake_engine(home / directory, "tiny", plugins=[True], metrics=page, env=env) as engine:
        wait_until(lambda: any(tree.root.pid == engine.pid for tree in engine_trees()))
        sockets = tuple(probe(engine.url).sockets)
        assert sockets
        yield engine, sockets


def _stepped(home: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(CLOCK), "STEPPED_CLOCK": str(home / "clock")}


def _rows(db: Path) -> int:
    if not db.exists():
        return 0
    with Ledger.open(db, readonly=True) as ledger:
        return int(ledger.conn.execute("SELECT count(*) FROM reading_rows").fetchone()[0])


def pause(seconds: float) -> None:
    """A moment within an act, at which the fault comes; which one, the cell's seed says."""
    time.sleep(seconds)
