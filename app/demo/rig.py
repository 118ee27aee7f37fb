"""The demo's engine and traffic: started together, stopped together."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.demo.guardian import Guardian, stop_engine
from app.settings import paths
from app.text.output import say
from app.text.provisioning import provision_with_display
from engines.provision.environment import TINY
from engines.serving import registry
from store.errors import NotAchieved
from store.private_files import open_log

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from engines.provision import Environment
    from engines.serving.start_watch import Phase
    from engines.serving.started import Started

START_S = 600.0
LAST_ANSWERS_S = 15.0


class Traffic:
    """`trimtab traffic` as a child process, in a session of its own; its report is in a file."""

    def __init__(self, url: str, preset: str) -> None:
        self._report = paths.log_path("demo-traffic")
        errors = self._report.with_suffix(".err")
        with open_log(self._report, afresh=True) as report, open_log(errors, afresh=True) as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "app", "traffic", url, "--preset", preset, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=report,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._child.pid

    def stop(self) -> dict[str, object]:
        """Let the last requests be answered; what became of all of them, empty if it was killed."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(LAST_ANSWERS_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        return _read_json(self._report)


class Rig:
    """What is running: the engine as discovered, and the traffic."""

    def __init__(self, engine: EngineInfo, traffic: Traffic, environment: Path) -> None:
        self.engine = engine
        self.traffic = traffic
        self.environment = environment


@contextmanager
def rig(
    model: str, reporter: Callable[[Started, Path], Callable[[Phase], None]], db: Path
) -> Iterator[Rig]:
    """Serve `model` on a free port with demo traffic; all of it ends with the block or with us.

    The engine has a supervisor, which tells the ledger `db` of its life, so that it can be swapped.
    What `reporter` makes is called with each phase of its start.
    """
    from engines.discovery.find import probe
    from engines.launch.launch import LaunchSpec
    from engines.serving.startup import wait_healthy
    from engines.supervisor.start import start_supervised

    environment = provision_with_display(model)
    _end_like_a_program()
    guardian = Guardian()
    name = _free_name()
    guardian.watch_engine(name)
    traffic: Traffic | None = None
    try:
        started = start_supervised(LaunchSpec(model, name=name, db=db))
        say(f"Starting vLLM {environment.version} as {name}; its log is {started.log_path}")
        wait_healthy(started, START_S, reporter(started, db))
        engine = probe(started.url)
        if engine.control != "live":
            raise NotAchieved("The engine started without its live knobs", engine.reason)
        traffic = Traffic(started.url, _preset(model, environment))
        guardian.watch_process(traffic.pid)
        yield Rig(engine, traffic, environment.python)
    finally:
        say(f"Stopping {name}")
        if traffic is not None:
            traffic.stop()
        stop_engine(name)
        guardian.dismiss()


def _preset(model: str, environment: Environment) -> str:
    """The load for a model: a CPU has enough to do with little for one that was really trained."""
    return "demo" if environment.kind == "gpu" or model in TINY else "light"


def _free_name() -> str:
    taken = {serving.name for serving in registry.list_serving()}
    return next(
        name for name in ("demo", *(f"demo-{i}" for i in range(2, 99))) if name not in taken
    )


def _end_like_a_program() -> None:
    """Let SIGTERM and SIGHUP unwind the stack, so that what was started is stopped."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def _read_json(path: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        document = json.loads(path.read_bytes())
        if isinstance(document, dict):
            return document
    return {}
