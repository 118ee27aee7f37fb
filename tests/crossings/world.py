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

from engines.control.knobs import read_knobs
from engines.discovery.find import probe
from engines.host.processes import engine_trees
from store.ledger.connection import Ledger
from store.records import KnobValue
from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.servers import REAL_PAGE
from tests.waiting import PATIENCE_S, wait_until

KNOB = "max_num_seqs"


@dataclass
class World:
    """One cell's surroundings. `asked` are the commands that were begun, oldest first."""

    engine: FakeEngine
    sockets: tuple[Path, ...]
    db: Path
    bystander: subprocess.Popen[bytes]
    recorder: subprocess.Popen[bytes]
    asked: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin a command of trimtab's."""
        process = _trimtab(*words, "--db", str(self.db))
        self.asked.append(process)
        return process

    def do(self, *words: str) -> None:
        """Run a command to its end, which must be good."""
        process = _trimtab(*words, "--db", str(self.db))
        _, told = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, told

    def value(self) -> KnobValue | None:
        """The knob as the engine has it; None once the engine has ended."""
        if not self.engine_lives:
            return None
        return next(knob.value for knob in read_knobs(self.sockets) if knob.name == KNOB)

    @property
    def engine_lives(self) -> bool:
        """Whether its EngineCore does, in which the knobs are."""
        return all(Path("/proc", path.stem).exists() for path in self.sockets)

    def kill_core(self) -> None:
        """End the process that holds the knobs."""
        for path in self.sockets:
            os.kill(int(path.stem), signal.SIGKILL)
        os.kill(self.engine.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Until every command that was asked has ended."""
        for process in self.asked:
            process.communicate(timeout=PATIENCE_S)


def _trimtab(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@contextlib.contextmanager
def a_world(home: Path) -> Iterator[World]:
    """An engine that is recorded, and a process of somebody else's that looks like one."""
    db = home / "l.db"
    page = REAL_PAGE.decode()
    with (
        fake_engine(home, "tiny", plugins=[True], metrics=page) as engine,
        bystander(home / "bystander") as other,
    ):
        wait_until(lambda: any(tree.root.pid == engine.pid for tree in engine_trees()))
        sockets = tuple(probe(engine.url).sockets)
        assert sockets
        recorder = _trimtab("record", engine.url, "--db", str(db))
        world = World(engine, sockets, db, other, recorder)
        try:
            wait_until(lambda: _rows(db) > 1)
            yield world
        finally:
            for process in (*world.asked, recorder):
                process.kill()
                process.communicate()


@contextlib.contextmanager
def bystander(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Named as an engine is; any signal would end it."""
    home.mkdir()
    (home / "serve").write_text("import sys; sys.stdin.read()")
    process = subprocess.Popen(
        ["vllm", "serve", "another"],
        executable=sys.executable,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _rows(db: Path) -> int:
    if not db.exists():
        return 0
    with Ledger.open(db, readonly=True) as ledger:
        return int(ledger.conn.execute("SELECT count(*) FROM reading_rows").fetchone()[0])


def pause(seconds: float) -> None:
    """A moment within an act, at which the fault comes; which one, the cell's seed says."""
    time.sleep(seconds)
