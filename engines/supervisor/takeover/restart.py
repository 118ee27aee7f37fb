"""The restart of an engine under a supervisor, done by the supervisor with nobody watching.

The engine takes no more, finishes, ends; the same command starts again with the plugin, and
inherits the address. One that does not become healthy in time ends, and the old command runs again
by itself, as it did before: then there is nothing to supervise.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engines.host import lifetime, procfs
from engines.host.ending import end_processes, those_alive
from engines.launch.launch import Launch
from engines.launch.spawn import spawn
from engines.provision.places import log_file
from engines.serving import registry, stopping
from engines.serving.start_watch import Phase, StartTimes
from engines.serving.started import Started, started_as
from engines.serving.startup import wait_healthy
from engines.supervisor.takeover.conditions import Conditions, conditions_from_json
from engines.supervisor.takeover.connections import Load, drain
from engines.supervisor.takeover.sockets import Held, Taken, open_after, open_beside, prefer
from engines.supervisor_client.adoption_report import GIVEN_BACK, LOST, AdoptionReport
from store.errors import NotAchieved, TrimtabError
from store.private_files import open_private
from store.reports.outcomes import DONE
from store.reports.step_line import StepLine

GRACE_S = 20.0
_POLL_S = 0.1

Say = Callable[[str, str], None]
"""Told a step and a line about it."""
Remember = Callable[[int, int], None]
"""Told the PID and the start ticks of a process that the next supervisor must know."""


@dataclass(frozen=True, slots=True)
class AdoptionOrder:
    """The order to adopt the engine `pid`. `environ` is the one that it was started with,
    `drain_s` and `start_s` the limits in seconds of its end and of the new one's start."""

    pid: int
    start_ticks: int
    environ: Mapping[str, str] = field(repr=False)
    conditions: Conditions
    held: Held
    drain_s: float
    start_s: float


def order_from_json(written: Mapping[str, Any]) -> AdoptionOrder:
    """What `dataclasses.asdict` and JSON made of one."""
    held, conditions = dict(written["held"]), written["conditions"]
    return AdoptionOrder(
        **{
            **written,
            "held": Held(**held | {"pids": tuple(held["pids"])}),
            "conditions": conditions_from_json(conditions),
        }
    )


class _ToStop(Exception):
    """Nobody waits for the engine any more."""


class Adoption:
    """The adoption of one engine, for `launch`; `report` tells of it, also while it runs.

    `start_times` are the new engine's, None before it is healthy."""

    def __init__(self, order: AdoptionOrder, taken: Taken, launch: Launch) -> None:
        self.order = order
        self._taken = taken
        self._began = time.monotonic()
        self._closed_at: float | None = None
        self._say_to: Say | None = None
        self._remember: Remember | None = None
        self._to_stop: Callable[[], bool] = lambda: False
        self.start_times: StartTimes | None = None
        self.report = AdoptionReport(launch.name, launch.url, taken.way)

    def run(
        self, launch: Launch, say: Say, remember: Remember, to_stop: Callable[[], bool]
    ) -> Started | None:
        """Do it; the engine, or None where the old command runs again by itself: the process that
        `remember` is told of.

        Where `to_stop` says so, an engine that starts is ours to stop, and is given as it is; one
        that was not ended yet serves on.
        """
        self._say_to = say
        self._remember = remember
        self._to_stop = to_stop
        started = self._started_before(launch)
        try:
            if started is None:
                self._end_old(launch)
                started = spawn(launch, self._taken.listener)
                self._say("start", f"process {started.pid}, its log is {started.log_path}")
            if not self._wait(started):
                self._finish(LOST, "it was stopped while it started")
                return started
        except TrimtabError as error:
            self._give_back(launch, " · ".join(filter(None, (error.what, error.meaning))))
            return None
        self._tell(pid=started.pid)
        self._finish(DONE, "")
        return started

    def _started_before(self, launch: Launch) -> Started | None:
        """What a supervisor before this one had started, which was killed."""
        serving = registry.find_serving(launch.name)
        if serving is None:
            return None
        self._say("start", f"process {serving.pid} was started by a supervisor that was killed")
        return started_as(serving, log_only=launch.log_only)

    def _end_old(self, launch: Launch) -> None:
        order = self.order
        with Load(launch.url) as load:
            if self._taken.way == "beside":
                load.in_flight()  # makes the connection, while the engine still takes any
                self._divert()
                self._closed_at = time.monotonic()
                self._say("drain", f"process {order.pid} finishes what it has; others wait")
            else:
                self._say("drain", f"process {order.pid} still takes connections while it finishes")
            drained = drain(
                order.held, load, order.drain_s, alive=self._old_lives, tell=self._heed_stop
            )
        self._tell(cut=drained.cut)
        if drained.cut != 0:
            count = "what had not ended" if drained.cut is None else f"{drained.cut} requests"
            self._say("drain", f"{count} after {order.drain_s:g} s: cut")
        self._say("stop", f"ending process {order.pid}")
        _end(order.pid, order.start_ticks)
        if self._taken.way == "after":
            self._listen_after()
        prefer(self._taken.listener, 0)

    def _divert(self) -> None:
        try:
            open_beside(self._taken.listener)
        except OSError as error:
            reason = error.strerror or ""
            raise NotAchieved("connections cannot be kept from the engine", reason) from None

    def _listen_after(self) -> None:
        until = time.monotonic() + GRACE_S
        self._closed_at = time.monotonic()
        while True:
            try:
                open_after(self._taken.listener, self.order.held)
            except OSError as error:
                if time.monotonic() >= until:
                    reason = error.strerror or ""
                    raise NotAchieved("the address is not free", reason) from None
                time.sleep(_POLL_S)
            else:
                return

    def _old_lives(self) -> bool:
        return lifetime.is_alive(self.order.pid, self.order.start_ticks)

    def _heed_stop(self, _: str) -> None:
        if self._to_stop():
            raise NotAchieved("it is to stop, and is not ours yet")

    def _wait(self, started: Started) -> bool:
        """Until it is healthy; False where it is to stop before that."""
        shown = ""

        def report(phase: Phase) -> None:
            nonlocal shown
            if self._to_stop():
                raise _ToStop
            if phase.text != shown:
                shown = phase.text
                self._say("start", shown)

        try:
            self.start_times = wait_healthy(started, self.order.start_s, report)
        except _ToStop:
            return False
        if self._closed_at is not None:
            self._tell(waited_s=round(time.monotonic() - self._closed_at, 1))
        return True

    def _give_back(self, launch: Launch, reason: str) -> None:
        """Let the old command run by itself, without the plugin: that may be the cause."""
        if self._old_lives():
            self._shut()
            self._finish(GIVEN_BACK, f"{reason}; process {self.order.pid} serves on")
            return
        self._say("go back", f"{reason}; starting the old command again, without the plugin")
        with contextlib.suppress(TrimtabError):
            stopping.stop(launch.name, drain_s=0)
        registry.forget(launch.name)
        self._shut()
        log = log_file(launch.name)
        try:
            pid = _run_alone(launch, self.order.environ, log)
        except OSError as error:
            both_reasons = f"{reason}; and the old command could not be started: {error.strerror}"
            self._finish(LOST, both_reasons)
            return
        ticks = lifetime.start_ticks(pid) or 0
        if self._remember is not None:
            self._remember(pid, ticks)
        self._tell(pid=pid)
        self._say("go back", f"process {pid}, its log is {log}")
        self._settle(launch, (pid, ticks), reason)

    def follow_old(self, launch: Launch, process: tuple[int, int], say: Say) -> None:
        """Look what becomes of the old command, which a supervisor before this one has started
        again before it was killed: PID and start ticks."""
        self._say_to = say
        self._tell(pid=process[0])
        self._settle(launch, process, "its supervisor was killed while it went back")

    def _settle(self, launch: Launch, process: tuple[int, int], reason: str) -> None:
        if self._answers(process, launch):
            self._finish(GIVEN_BACK, reason)
            return
        log = log_file(launch.name)
        self._finish(LOST, f"{reason}; and the old command does not answer either: see {log}")

    def _shut(self) -> None:
        """Listen no more; the keeper's copy stays bound, which does not keep others from it."""
        with contextlib.suppress(OSError):
            self._taken.listener.shutdown(socket.SHUT_RDWR)

    def _answers(self, process: tuple[int, int], launch: Launch) -> bool:
        log = log_file(launch.name)
        started = Started(launch.name, *process, launch.url, log, launch.log_only)
        try:
            wait_healthy(started, self.order.start_s, lambda phase: self._heed_stop(phase.text))
        except TrimtabError:
            return False
        return True

    def _say(self, step: str, text: str) -> None:
        at_s = round(time.monotonic() - self._began, 1)
        self._tell(steps=(*self.report.steps, StepLine(at_s, step, text)))
        if self._say_to is not None:
            self._say_to(step, text)

    def _finish(self, outcome: str, reason: str) -> None:
        self._say(outcome, reason or "it serves under a supervisor of its own")
        took_s = round(time.monotonic() - self._began, 1)
        self._tell(reason=reason, took_s=took_s, outcome=outcome)

    def _tell(self, **changed: Any) -> None:
        self.report = replace(self.report, **changed)


def _end(pid: int, ticks: int) -> None:
    """SIGTERM to the engine, SIGKILL to those of its processes that outlive `GRACE_S`.

    It may share its session with the shell that started it, so only what is below it is ended.
    """
    child_pids = [process.pid for process in procfs.descendants(pid, procfs.processes())]
    starts = ((child, lifetime.start_ticks(child)) for child in child_pids)
    members = {child: began for child, began in starts if began is not None}
    members[pid] = ticks
    end_processes({pid: ticks}, lambda: those_alive(members), grace_s=GRACE_S, gone_s=GRACE_S)
    if those_alive(members):
        raise NotAchieved(f"PID {pid} will not go", "the kernel holds it")


def _run_alone(launch: Launch, environ: Mapping[str, str], log: Path) -> int:
    """Start the old command in a session of its own; raises OSError."""
    descriptor = open_private(log, os.O_WRONLY | os.O_TRUNC)
    try:
        process = subprocess.Popen(
            launch.command,
            cwd=launch.directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    lifetime.adopt_child(process)
    return process.pid
