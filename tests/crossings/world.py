"""What a cell happens in: an engine, who supervises and records it, clients, and a bystander."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from engines.control.knobs import read_knobs
from engines.control.plugin_sockets import plugin_control
from engines.host.processes import EngineTree, engine_trees
from engines.host.procfs import process_ids, read_process, read_text
from engines.launch.launch import LaunchSpec
from engines.provision.places import supervisor_log
from engines.serving import names, registry
from engines.supervisor.start import start_supervised
from engines.supervisor_client import client
from store.ledger.connection import Ledger
from store.records import KnobValue
from tests.addresses import held_port
from tests.crossings.clients import Seen, clients
from tests.fakes.launched_engine import PAGE
from tests.names import own
from tests.supervisors import answering, state_of
from tests.unit.supervisor.stub_engine import keeper_of
from tests.waiting import wait_until

KNOB = "max_num_seqs"
START = 16
"""The knob's value from the engine's start."""

OVER_S = 180.0
"""A whole swap takes seconds, and more than a minute on a host that has much else to do."""

_FAKES = Path(__file__).parents[1] / "fakes"
SHIMS = Path(__file__).with_name("shims")
_MARK = "CROSSING"


@dataclass
class World:
    """One cell's surroundings. `asked` are the commands that were begun, oldest first. Everything
    of trimtab's that is written lies on `disk`."""

    home: Path
    name: str
    url: str
    engine: int
    bystander: subprocess.Popen[bytes]
    recorder: subprocess.Popen[bytes]
    seen: Seen
    asked: list[subprocess.Popen[bytes]] = field(default_factory=list)
    supervisor: int | None = None
    keeper: int | None = None

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def disk(self) -> Path:
        return self.home / "disk"

    @property
    def db(self) -> Path:
        return self.disk / "l.db"

    @property
    def recorder_pid(self) -> int:
        return self.recorder.pid

    def know_supervisor(self) -> None:
        """Note who supervises now."""
        self.supervisor = answering(self.name).supervisor
        self.keeper = keeper_of(self.name)

    def ask(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin a command of trimtab's."""
        process = _trimtab(*words, "--db", str(self.db))
        self.asked.append(process)
        return process

    def do(self, *words: str) -> None:
        """Run a command to its end, which must be good."""
        process = _trimtab(*words, "--db", str(self.db))
        out, told = process.communicate(timeout=OVER_S)
        assert process.returncode == 0, (words, out, told)

    def wait(self) -> None:
        """Until every command that was asked has ended."""
        for process in self.asked:
            out, told = process.communicate(timeout=OVER_S)
            print(process.returncode, process.args, out.decode(), told.decode(), sep="\n")
            assert process.returncode in (0, 1, 2, 3, -9)
            # An act that was asked for wrongly was not tried at all.
            assert b"--help shows how" not in told, (process.args, told)

    def serve(self) -> None:
        """Begin an engine under the name of this one, supervised."""
        start_supervised(spec(self.home, self.name, self.db, self.port))

    def tree(self) -> EngineTree | None:
        """The processes of the engine that has the name now, or that runs without one."""
        status = client.status(self.name)
        pid = self.engine if status is None else status.pid
        return next((tree for tree in engine_trees() if tree.root.pid == pid), None)

    def value(self) -> KnobValue | None:
        """The knob as the engine has it; None where no engine tells it."""
        tree = self.tree()
        sockets = () if tree is None else plugin_control(tree).sockets
        return next((knob.value for knob in read_knobs(sockets) if knob.name == KNOB), None)

    def new_engine(self) -> int | None:
        """The engine of a swap or an adoption that runs, which is to serve in the end."""
        found = map(registry.find_serving, (*names.candidate_names(self.name), self.name))
        pids = (serving.pid for serving in found if serving is not None)
        return next((pid for pid in pids if pid != self.engine), None)

    def left(self) -> list[str]:
        """Living processes that have come of this cell, but for those that it holds itself."""
        left = [pid for pid in marked(_MARK, str(self.home)) if pid != self.recorder.pid]
        return [f"{pid} {' '.join(seen.arguments)}" for pid in left if (seen := read_process(pid))]


def spec(home: Path, name: str, db: Path, port: int) -> LaunchSpec:
    """How the stand-in is started."""
    arguments = ("--max-num-seqs", str(START), "--port", str(port))
    return LaunchSpec(str(home / "model"), name, arguments, home / "bin" / "python", db=db)


def environment(home: Path) -> dict[str, str]:
    """The variables that everything in the cell is started with."""
    paths = (SHIMS, _FAKES / "vllm_package", Path(sysconfig.get_path("purelib")))
    return {
        "TRIMTAB_DATA_DIR": str(home / "disk" / "data"),
        "TRIMTAB_ENGINE_KIND": "cpu",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "CROSSING_CLOCK": str(home / "clock"),
        "PAGE": PAGE,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        _MARK: str(home),
    }


@contextlib.contextmanager
def a_world(home: Path, name: str, *, supervised: bool) -> Iterator[World]:
    """An engine that is recorded and asked, and a process of somebody else's that looks like one.

    The variables of `environment` are set.
    """
    _furnish(home)
    name = own(name)
    recorder: subprocess.Popen[bytes] | None = None
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(bystander(home / "bystander"))
        stack.callback(_sweep, home)
        if supervised:
            # Held to the end: once the engine is stopped no other cell's gets its address.
            port = stack.enter_context(held_port())
            started = start_supervised(spec(home, name, home / "disk" / "l.db", port))
            wait_until(lambda: state_of(name) == "serving")
            url, pid = started.url, started.pid
        else:
            url, pid = stack.enter_context(_by_hand(home))
        seen = stack.enter_context(clients(url))
        recorder = _trimtab("record", url, "--db", str(home / "disk" / "l.db"))
        world = World(home, name, url, pid, other, recorder, seen)
        if supervised:
            world.know_supervisor()
        stack.callback(_end, world)
        wait_until(lambda: reading_rows(world.db) > 1)
        yield world


def _furnish(home: Path) -> None:
    """An environment with the stand-in as its `vllm`, and a model."""
    (home / "disk").mkdir(exist_ok=True)
    (home / "bin").mkdir()
    (home / "bin" / "python").symlink_to(Path(os.path.realpath("/proc/self/exe")))
    shutil.copy(_FAKES / "served_engine.py", home / "bin" / "vllm")
    (home / "model").mkdir()
    (home / "model" / "config.json").write_text("{}")
    (home / "model" / "pytorch_model.bin").write_bytes(bytes(1000))


def serves(url: str) -> bool:
    """Whether somebody answers there."""
    with contextlib.suppress(OSError), urlopen(f"{url}/health", timeout=5) as reply:
        return bool(reply.status == 200)
    return False


@contextlib.contextmanager
def _by_hand(home: Path) -> Iterator[tuple[str, int]]:
    """The stand-in as somebody starts it without trimtab."""
    words = ["bin/python", "bin/vllm", "serve", str(home / "model"), "--max-num-seqs", str(START)]
    with held_port() as port:
        process = subprocess.Popen(
            [*words, "--port", str(port)],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: serves(url))
            yield url, process.pid
        finally:
            process.kill()
            process.communicate()


def _trimtab(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _end(world: World) -> None:
    with contextlib.suppress(OSError):
        print(supervisor_log(world.name).read_text())
    for process in (*world.asked, world.recorder):
        process.kill()
        process.communicate()


def _sweep(home: Path) -> None:
    """End what a cell that failed has left: it carries the cell's mark, and nobody else does."""
    for pid in marked(_MARK, str(home)):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def marked(variable: str, value: str) -> list[int]:
    """The other processes that were started with this variable, which everything below inherits."""
    mark = f"{variable}={value}"
    return [
        pid
        for pid in process_ids()
        if pid != os.getpid() and mark in (read_text(f"/proc/{pid}/environ") or "").split("\0")
    ]


@contextlib.contextmanager
def bystander(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Named as an engine is; any signal would end it."""
    home.mkdir()
    (home / "serve").write_text("import sys; sys.stdin.read()")
    process = subprocess.Popen(
        ["vllm", "serve", "another"],
        executable=sys.executable,
        cwd=home,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def reading_rows(db: Path) -> int:
    """How many readings a ledger has; 0 where there is none yet."""
    if not db.exists():
        return 0
    with Ledger.open(db, readonly=True) as ledger:
        return int(ledger.conn.execute("SELECT count(*) FROM reading_rows").fetchone()[0])


def pause(seconds: float) -> None:
    """A moment within an act, at which the fault comes; which one, the cell's seed says."""
    time.sleep(seconds)
