"""A start that does nothing is not waited for until its time is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.serving import progress
from engines.serving.progress import Progress
from engines.serving.startup import StartFailed, wait_healthy
from tests.fakes.launched_engine import launch
from tests.waiting import PATIENCE_S, wait_until

ENDLESS = "while True: pass"
READING = "import time\nwhile True: open('/dev/zero', 'rb').read(1 << 16); time.sleep(0.01)"

Run = Callable[[str], tuple[int, int]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.05)
    monkeypatch.setattr(progress, "_CPU_S", 0.1)
    monkeypatch.setattr(progress, "_BYTES", 1 << 18)


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts Python in a session of its own, as an engine is."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> tuple[int, int]:
        process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        begun.append(process)
        ticks = lifetime.start_ticks(process.pid)
        assert ticks is not None
        return process.pid, ticks

    yield start
    for process in begun:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def moves_on(watched: Progress) -> Callable[[], bool]:
    """Whether, after a time without progress, there was some."""
    stalled: list[float] = []

    def look() -> bool:
        stalled.append(watched.stalled_s(0))
        return any(later < sooner for sooner, later in pairwise(stalled))

    return look


@pytest.mark.parametrize("program", [ENDLESS, READING])
def test_work_is_progress(run: Run, program: str) -> None:
    wait_until(moves_on(Progress(*run(program))))


def test_a_child_counts(run: Run) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ENDLESS!r}])"
    wait_until(moves_on(Progress(*run(child))))


def test_a_new_phase_is_progress(run: Run) -> None:
    watched = Progress(*run("import time; time.sleep(1000)"))
    wait_until(lambda: watched.stalled_s(1) > 0.5)
    assert watched.stalled_s(2) == 0


def test_a_process_that_gets_no_core_is_stalled(run: Run) -> None:
    pid, ticks = run(ENDLESS)
    os.kill(pid, signal.SIGSTOP)
    watched = Progress(pid, ticks)
    wait_until(lambda: watched.stalled_s(0) > 1)


def test_a_start_without_progress_is_given_up(stub: Path) -> None:
    started = launch(stub, deaf=True)
    with pytest.raises(StartFailed, match="makes no progress: no new phase for 1 s") as raised:
        wait_healthy(started, PATIENCE_S, stalled_s=1)
    assert "s of CPU time and moved" in raised.value.meaning
