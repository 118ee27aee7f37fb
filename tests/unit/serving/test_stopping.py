"""Ending an engine that we started: its requests first, and nothing but it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.host.priority import NICE, give_way
from engines.serving import registry, stopping
from engines.serving.log_phases import has_served
from engines.serving.startup import wait_healthy
from store.errors import NotAchieved
from tests.fakes.launched_engine import launch
from tests.waiting import PATIENCE_S, wait_for_file, wait_until


def test_running_requests_are_waited_for(stub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "ASK_S", PATIENCE_S)
    started = launch(stub, running=[3, 2, 0])
    wait_healthy(started, PATIENCE_S)
    waits: list[str] = []
    assert stopping.stop("model", drain_s=PATIENCE_S, on_wait=waits.append).drained
    assert waits == ["waiting for 3 requests", "waiting for 2 requests", "ending its processes"]


def test_an_engine_that_is_slow_to_answer_is_still_waited_for(stub: Path) -> None:
    started = launch(stub, slow=[2.5])
    wait_healthy(started, PATIENCE_S)
    waits: list[str] = []
    assert stopping.stop("model", drain_s=PATIENCE_S, on_wait=waits.append).drained
    assert list(dict.fromkeys(waits)) == ["waiting for an answer", "ending its processes"]


def test_an_engine_that_still_loads_is_not_given_the_time_of_one_that_serves(stub: Path) -> None:
    started = launch(stub, deaf=True)
    wait_for_file(started.log_path)
    stopped = stopping.stop("model")
    assert stopped.killed == (started.pid,)
    assert stopped.took_s < 10


def test_what_never_drains_is_stopped_all_the_same_and_told(stub: Path) -> None:
    started = launch(stub, running=[4])
    wait_healthy(started, PATIENCE_S)
    assert not stopping.stop("model", drain_s=0.5).drained
    assert lifetime.start_ticks(started.pid) is None


def test_a_child_that_ignores_sigterm_is_killed_and_nothing_else(stub: Path) -> None:
    started = launch(stub, stubborn=True)
    wait_healthy(started, PATIENCE_S)
    family = lifetime.session_of(started.pid, started.start_ticks)
    assert len(family) == 2
    stopped = stopping.stop("model", drain_s=1, grace_s=1)
    assert set(stopped.killed) == set(family) - {started.pid}
    assert all(lifetime.start_ticks(pid) is None for pid in family)


def test_orphans_of_a_killed_engine_are_stopped(stub: Path) -> None:
    started = launch(stub, stubborn=True)
    wait_healthy(started, PATIENCE_S)
    assert lifetime.send(started.pid, started.start_ticks, signal.SIGKILL)
    wait_until(lambda: not lifetime.is_alive(started.pid, started.start_ticks))
    (orphan,) = lifetime.session_of(started.pid, started.start_ticks)
    assert registry.list_serving() == []
    assert stopping.stop("model", drain_s=1, grace_s=0.5).killed == (orphan,)


def test_a_pid_that_was_given_to_another_process_is_left_alone(stub: Path) -> None:
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        ticks = lifetime.start_ticks(stranger.pid)
        assert ticks is not None
        assert lifetime.session_of(stranger.pid, ticks) == {stranger.pid: ticks}
        assert lifetime.session_of(stranger.pid, ticks - 1) == {}
        assert lifetime.session_of(stranger.pid, ticks + 1) == {}
    finally:
        stranger.kill()
        stranger.wait()
    assert lifetime.session_of(0, 1) == {}
    assert not lifetime.send(os.getpid(), 1, signal.SIGKILL)
    registry.save(registry.Serving("old", os.getpid(), 1, "http://127.0.0.1:1", "m", "log"))
    assert registry.list_serving() == []
    with pytest.raises(NotAchieved, match="no engine named old"):
        stopping.stop("old")


def test_a_process_gives_way_with_its_whole_session() -> None:
    script = "import subprocess; input(); subprocess.run(['cat', '/proc/self/stat'])"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    give_way(process.pid)
    session = Path(f"/proc/{process.pid}/autogroup")
    if session.exists() and Path("/proc/sys/kernel/sched_autogroup_enabled").read_text() == "1\n":
        assert session.read_text().endswith(f"nice {NICE}\n")
    stat_of_child, _ = process.communicate(b"\n", timeout=PATIENCE_S)
    assert int(stat_of_child.split(b")")[1].split()[16]) == NICE
    give_way(process.pid)  # it has ended: no matter


DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("healthy", [True, False], ids=["was healthy", "never healthy"])
def test_a_daemon_that_has_the_session_s_number_now_is_left_alone(
    stub: Path, healthy: bool
) -> None:
    """The first process has ended, and its PID was given to one that began a session with it."""
    leader = subprocess.Popen(
        [sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout is not None
    daemon = int(leader.stdout.readline())
    leader.wait(PATIENCE_S)
    leader.stdout.close()
    try:
        assert set(lifetime.session_of(leader.pid, 1)) == {daemon}
        members = ((leader.pid, 1), (daemon, 1)) if healthy else ()
        stale = registry.Serving(
            "old", leader.pid, 1, "http://127.0.0.1:1", "m", "log",
            boot=lifetime.boot_id(), program="/opt/engine/python", members=members,
        )  # fmt: skip
        registry.save(stale)
        with pytest.raises(NotAchieved, match="no engine named old"):
            stopping.stop("old", drain_s=0, grace_s=0.2)
        assert lifetime.start_ticks(daemon) is not None
    finally:
        os.kill(daemon, signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
def test_a_daemon_of_another_user_s_is_left_alone_whatever_it_runs(stub: Path) -> None:
    """It runs the engine's own program, and the engine had no members yet."""
    leader = subprocess.Popen(
        ["/usr/bin/python3", "-c", DAEMON],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        user="nobody",
    )
    assert leader.stdout is not None
    daemon = int(leader.stdout.readline())
    leader.wait(PATIENCE_S)
    leader.stdout.close()
    try:
        stale = registry.Serving(
            "old", leader.pid, 1, "http://127.0.0.1:1", "m", "log",
            boot=lifetime.boot_id(), program=lifetime.program_of(daemon),
        )  # fmt: skip
        assert registry.family(stale) == {}
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_an_engine_of_another_boot_is_none(stub: Path) -> None:
    here = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        ticks = lifetime.start_ticks(here.pid)
        assert ticks is not None
        before = registry.Serving("old", here.pid, ticks, "http://x", "m", "log", boot="another")
        registry.save(before)
        assert registry.list_serving() == []
        assert registry.find_serving("old") is None
        assert registry.family(before) == {}
        registry.save(replace(before, boot=lifetime.boot_id()))
        assert registry.family(replace(before, boot="")) == {here.pid: ticks}
        assert [serving.pid for serving in registry.list_serving()] == [here.pid]
    finally:
        here.kill()
        here.wait()


def test_a_start_is_found_in_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"DEBUG {'x' * 120}\n" * 20_000 + "INFO:     Application startup complete.\n")
    assert has_served(log)
