"""A stop beside every fault: the engine is stopped in the end, and nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.serving import registry
from engines.serving.name_lock import is_held
from tests.names import own
from tests.supervisors import answering, state_of
from tests.unit.supervisor.conftest import port, stub
from tests.unit.supervisor.stub_engine import answer, begin, keeper_of
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["port", "stub"]

LONGEST_S = 1.0


@dataclass(frozen=True)
class Supervised:
    """The processes of one supervised engine, and the command that stops it."""

    name: str
    engine: int
    supervisor: int
    keeper: int
    command: subprocess.Popen[bytes]


def _signal(number: signal.Signals, *who: str) -> Callable[[Supervised], None]:
    def strike(running: Supervised) -> None:
        for name in who:
            with contextlib.suppress(ProcessLookupError):
                os.kill(getattr(running, name), number)

    return strike


FAULTS: dict[str, Callable[[Supervised], object]] = {
    "none": lambda _: None,
    "SIGKILL of the supervisor": _signal(signal.SIGKILL, "supervisor"),
    "SIGKILL of the keeper": _signal(signal.SIGKILL, "keeper"),
    "SIGKILL of keeper and supervisor": _signal(signal.SIGKILL, "keeper", "supervisor"),
    "SIGKILL of the engine": _signal(signal.SIGKILL, "engine"),
    "SIGSTOP of the supervisor": _signal(signal.SIGSTOP, "supervisor"),
    "SIGSTOP of the engine": _signal(signal.SIGSTOP, "engine"),
    "SIGKILL of the command": lambda running: running.command.kill(),
    "record of the engine gone": lambda running: registry.forget(running.name),
    "second operator": lambda running: stop(running.name).communicate(timeout=PATIENCE_S),
}


def stop(name: str) -> subprocess.Popen[bytes]:
    """`trimtab stop`, with a second for running requests."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", "stop", name, "--drain", "1s", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("fault", [pytest.param(name, id=f"stop beside {name}") for name in FAULTS])
def test_a_fault_in_the_midst_of_a_stop(stub: Path, fault: str) -> None:
    name = own("cross")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    assert answer(started) == started.pid
    keeper, supervisor = keeper_of(name), answering(name).supervisor
    began = {pid: lifetime.start_ticks(pid) for pid in (started.pid, supervisor, keeper)}
    running = Supervised(name, started.pid, supervisor, keeper, stop(name))
    moment_s = random.uniform(0, LONGEST_S)
    print(f"after {moment_s:.3f} s")
    time.sleep(moment_s)
    FAULTS[fault](running)
    _, told = running.command.communicate(timeout=PATIENCE_S)
    for pid in (supervisor, started.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert running.command.returncode in (0, 1, -9), told
    if running.command.returncode != 0:
        # Whoever is told that it did not hold asks again, and is served or told that it is gone.
        stop(name).communicate(timeout=PATIENCE_S)
    wait_until(lambda: not any(lives(pid, ticks) for pid, ticks in began.items()))
    wait_until(lambda: state_of(name) is None and not is_held(name))
    assert registry.find_serving(name) is None


def lives(pid: int, ticks: int | None) -> bool:
    return ticks is not None and lifetime.is_alive(pid, ticks)
