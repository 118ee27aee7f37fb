"""Starts one engine on an inherited address, starts it again when it crashes, and stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from engines.control.front import Front, front_path
from engines.host import lifetime
from engines.inside.trimtab_inside.server import Server
from engines.inside.trimtab_inside.sockets import prepare_directory
from engines.launch.launch import Launch
from engines.launch.spawn import spawn
from engines.serving import names, registry, stopping
from engines.serving.causes import why_it_ended
from engines.serving.started import Started, started_as
from engines.supervision.client import socket_of
from engines.supervision.order import Order
from engines.supervisor.backoff import Backoff
from engines.supervisor.desk import SupervisorDesk
from engines.supervisor.memory import Memory
from engines.supervisor.start_watch import StartWatch
from engines.supervisor.swap.swap import Swap, Wiring
from engines.supervisor.takeover.takeover import FRUITLESS, Adoption
from engines.supervisor.telling import (
    interrupted,
    tell_change,
    tell_event,
    tell_interrupted,
    tell_start,
    tell_swap,
)
from store.errors import TrimtabError

TURN_S = 0.2
TELL_S = 2.0
"""For how long the outcome of a stop can still be asked for."""


class Supervisor:
    """One engine's; `run` returns when the engine is stopped (0) or given up (1)."""

    def __init__(
        self,
        memory: Memory,
        listener: socket.socket,
        keep: Callable[[Memory], None],
        adoption: Adoption | None = None,
    ) -> None:
        self._memory = memory
        self._listener = listener
        self._keep_memory = keep
        self._adoption = adoption
        self._order: Order | None = None
        unfinished = memory.swapping
        self._swapped = None if unfinished is None else interrupted(unfinished)
        self._call_off = False
        self._backoff = Backoff()
        self._engine: Started | None = None
        self._watch: StartWatch | None = None
        self._serving_since: float | None = None
        self._drain_s: float | None = None
        self._stopped: dict[str, Any] | None = None
        self._told = threading.Event()
        self._state = "starting"

    def run(self) -> int:
        """Supervise until the engine is stopped or given up."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ask_stop(stopping.DRAIN_S))
        path = socket_of(self._launch.name)
        prepare_directory(path.parent)
        control = Server(path, SupervisorDesk(self))
        control.start()
        try:
            return self._supervise()
        finally:
            control.stop()

    # What it is asked

    def status(self) -> dict[str, Any]:
        """What it does now, for whoever asks."""
        adopted = None if self._adoption is None else self._adoption.result
        if self._stopped is not None or (adopted and adopted["outcome"] in FRUITLESS):
            self._told.set()
        before = self._memory.before
        return {
            "state": self._state,
            "supervisor": os.getpid(),
            "pid": None if self._engine is None else self._engine.pid,
            "failures": self._backoff.failures,
            "stopped": self._stopped,
            "variant": self._launch.variant,
            "before": before[-1].variant if before else None,
            "swap": self._swapped,
            "adoption": adopted,
        }

    def ask_swap(self, order: Order) -> str:
        """Begin a swap soon; why not where it cannot be."""
        if self._order is not None:
            return "a swap runs already: it comes to its end or is called off first"
        if self._state != "serving" or self._drain_s is not None:
            return f"the engine does not serve now: it is {self._state}"
        if order.variant is None and not self._memory.before:
            return "no swap of this engine can be taken back"
        self._call_off = False
        self._order = order
        return ""

    def ask_call_off(self) -> bool:
        """Let the swap that runs go back; False where none does."""
        self._call_off = self._order is not None
        return self._call_off

    def ask_stop(self, drain_s: float) -> None:
        """Stop the engine soon, its requests first, and end."""
        self._drain_s = drain_s

    # What it does

    @property
    def _launch(self) -> Launch:
        return self._memory.launch

    def _supervise(self) -> int:
        if self._adoption is not None and not self._adopt(self._adoption):
            return 1
        if self._memory.taken_over:
            self._name_swapped()
        engine = self._found() or self._start_somehow(0.0, pause=False)
        if engine is not None:
            self._settle_unfinished(engine)
        while engine is not None and self._drain_s is None:
            self._engine = engine
            if not lifetime.is_alive(engine.pid, engine.start_ticks):
                engine = self._crashed(engine)
                continue
            if self._order is not None:
                engine = self._do_swap(self._order, engine)
                self._order = None
            if self._serving_since is None and self._watch is not None and self._watch.serves():
                self._serves(engine, self._watch)
            time.sleep(TURN_S)
        if self._drain_s is None:
            return 1
        self._stop(self._drain_s)
        return 0

    def _adopt(self, adoption: Adoption) -> bool:
        """Take over an engine that somebody else started; False where that came to nothing."""
        self._state = "adopting"
        started = adoption.run(self._launch, lambda step, text: self._say(f"adopt: {step}: {text}"))
        if started is None:
            self._state = "given up"
            self._told.wait(TELL_S)
            return False
        self._remember(self._memory)
        return True

    def _found(self) -> Started | None:
        """The engine that a supervisor before this one left."""
        one = registry.find_serving(self._launch.name)
        if one is None:
            return None
        self._say(f"found process {one.pid}, which runs already")
        started = started_as(one, log_only=self._launch.log_only)
        self._watch, self._engine = StartWatch(started, whole=False), started
        return started

    def _start(self) -> Started:
        self._serving_since, self._state = None, "starting"
        started = spawn(self._launch, self._listener)
        self._watch = StartWatch(started)
        self._say(f"started process {started.pid}")
        return started

    def _serves(self, engine: Started, watch: StartWatch) -> None:
        self._serving_since = time.monotonic()
        self._say(f"process {engine.pid} serves at {engine.url}")
        if self._memory.swapping is not None:
            self._told_unfinished()
        elif watch.whole:
            tell_start(
                self._db,
                self._launch,
                beside=len(registry.list_serving()) > 1,
                took_s=watch.elapsed_s,
                phases=watch.phases,
            )
        self._state = "serving"

    # Swaps

    def _do_swap(self, order: Order, engine: Started) -> Started:
        self._state = "swapping"
        self._remember(replace(self._memory, swapping=order))
        before = self._memory.before[-1] if order.variant is None else None
        wiring = Wiring(self._listener, self._tell, self._interrupted, self._taken_over)
        swap = Swap(order, (self._launch, engine), wiring, before=before)
        self._swapped = swap.result
        self._engine = running = swap.run()
        self._remember(replace(self._memory, swapping=None, taken_over=False))
        self._state, self._serving_since = "serving", time.monotonic()
        swap.close()
        return running

    def _taken_over(self, launch: Launch, running: Started, elapsed_s: float) -> None:
        """From now on the new engine is the engine."""
        old, order = self._launch, self._memory.swapping
        assert order is not None
        # The keeper knows first: when this supervisor is killed the next one finishes the swap.
        self._remember(self._memory.swapped_to(launch))
        self._engine = running
        self._name_swapped()
        undoes = old.swap_id if order.variant is None else None
        tell_change(order, old, launch, elapsed_s, undoes)

    def _name_swapped(self) -> None:
        """Give the engine that has taken over the name of the one before, and that one another."""
        name = self._launch.name
        for candidate in names.candidate_names(name):
            if registry.find_serving(candidate) is None:
                continue
            if registry.find_serving(name) is not None:
                registry.rename(name, names.leaving_name(name))
            registry.rename(candidate, name)

    def _interrupted(self) -> Literal["", "stop", "call off"]:
        if self._drain_s is not None:
            return "stop"
        return "call off" if self._call_off else ""

    def _tell(self, text: str) -> None:
        """Say a step of the swap, here and in the ledger."""
        self._say(f"swap: {text}", quiet=True)
        if self._order is not None and self._swapped is not None:
            tell_swap(self._order, self._launch, self._swapped, text)

    def _settle_unfinished(self, engine: Started) -> None:
        """End what a swap has left whose supervisor was killed: the new engine where it had not
        taken over, else the old one."""
        name = self._launch.name
        for left in (*names.candidate_names(name), names.leaving_name(name)):
            if registry.find_serving(left) is None:
                continue
            self._say(f"a killed supervisor left a swap unfinished: ending {left}")
            with contextlib.suppress(TrimtabError):
                Front(front_path(engine.pid, os.geteuid())).open()
            with contextlib.suppress(TrimtabError):
                stopping.stop(left, drain_s=stopping.DRAIN_S)

    def _told_unfinished(self) -> None:
        """Say what became of the swap in which the supervisor before this one was killed."""
        order = self._memory.swapping
        assert order is not None
        outcome, reason = "rolled back", "its supervisor was killed in the midst"
        if self._memory.taken_over:
            outcome, reason = "done", ""
        self._swapped = tell_interrupted(order, self._launch, outcome, reason)
        self._remember(replace(self._memory, swapping=None, taken_over=False))

    def _remember(self, memory: Memory) -> None:
        self._memory = memory
        self._keep_memory(memory)

    # Ends

    def _crashed(self, engine: Started) -> Started | None:
        """Start the engine again after a pause; None if it is given up or to stop."""
        self._say(
            f"process {engine.pid} ended: {why_it_ended(engine.log_path) or 'no reason given'}"
        )
        stopping.end_orphans(self._launch.name)
        since = self._serving_since
        if since is None and not self._backoff.failures:
            self._give_up("it never served, and another start would not mend that")
            return None
        return self._start_somehow(0.0 if since is None else time.monotonic() - since)

    def _start_somehow(self, served_s: float, *, pause: bool = True) -> Started | None:
        """Start the engine after a pause, and again while it cannot even be begun (a full disk);
        None if it is given up or to stop. `served_s` is how long the last one served."""
        while True:
            if pause and not self._wait(served_s):
                return None
            try:
                return self._start()
            except TrimtabError as error:
                self._say(f"it cannot be started: {error}")
            served_s, pause = 0.0, True

    def _wait(self, served_s: float) -> bool:
        """Let the time pass until the next start; False where there is to be none."""
        pause = self._backoff.crashed(served_s)
        if pause is None:
            self._give_up(f"it ended {self._backoff.failures} times in a row")
            return False
        self._state = "waiting to start again"
        self._say(f"starts again in {pause:g} s")
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if self._drain_s is not None:
                return False
            time.sleep(TURN_S)
        return True

    def _give_up(self, why: str) -> None:
        self._state = "given up"
        registry.forget(self._launch.name)
        self._say(f"GIVEN UP: {why}. Connections to {self._launch.url} are refused from now on")

    def _stop(self, drain_s: float) -> None:
        self._state = "stopping"
        self._say("stopping: no new connections, what runs may finish")
        try:
            stopped = stopping.stop(self._launch.name, drain_s=drain_s, listener=self._listener)
        except TrimtabError as error:
            self._say(f"it had ended already: {error.what}")
            self._stopped = {"drained": True, "killed": [], "took_s": 0.0}
        else:
            self._stopped = {
                "drained": stopped.drained,
                "killed": list(stopped.killed),
                "took_s": stopped.took_s,
            }
            self._say(f"stopped in {stopped.took_s:.1f} s")
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # the keeper's copy, too: refuse from now on
        self._state = "stopped"
        self._told.wait(TELL_S)

    @property
    def _db(self) -> Path | None:
        return None if self._launch.db is None else Path(self._launch.db)

    def _say(self, text: str, *, quiet: bool = False) -> None:
        """A line in the supervisor's log, and in the ledger's event log unless `quiet`."""
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self._launch.name}: {text}\n")
            sys.stderr.flush()
        if not quiet:
            tell_event(self._db, self._launch, "engine", text)
