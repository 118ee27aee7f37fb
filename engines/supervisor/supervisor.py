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
from typing import Any

from engines import lifetime, serving
from engines.front import Front, front_path
from engines.inside.trimtab_inside.server import Server
from engines.inside.trimtab_inside.sockets import prepare_directory
from engines.launch import Launch, spawn
from engines.startup import Started, has_served, started_as, why_it_ended
from engines.supervisor.backoff import Backoff
from engines.supervisor.client import socket_of
from engines.supervisor.desk import SupervisorDesk
from engines.supervisor.order import Order
from engines.supervisor.swap import Swap
from engines.supervisor.telling import tell_result, tell_step
from store.errors import TrimtabError

TURN_S = 0.2
TELL_S = 2.0
"""For how long the outcome of a stop can still be asked for."""


class Supervisor:
    """One engine's; `run` returns when the engine is stopped (0) or given up (1)."""

    def __init__(
        self, launch: Launch, listener: socket.socket, keep: Callable[[Launch], None]
    ) -> None:
        self._launch = launch
        self._listener = listener
        self._keep = keep
        self._order: Order | None = None
        self._swap: Swap | None = None
        self._backoff = Backoff()
        self._engine: Started | None = None
        self._serving_since: float | None = None
        self._drain_s: float | None = None
        self._stopped: dict[str, Any] | None = None
        self._told = threading.Event()
        self._state = "starting"

    def run(self) -> int:
        """Supervise until the engine is stopped or given up."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ask_stop(serving.DRAIN_S))
        path = socket_of(self._launch.name)
        prepare_directory(path.parent)
        control = Server(path, SupervisorDesk(self))
        control.start()
        try:
            return self._supervise()
        finally:
            control.stop()

    def status(self) -> dict[str, Any]:
        """What it does now, for whoever asks."""
        if self._stopped is not None:
            self._told.set()
        return {
            "state": self._state,
            "supervisor": os.getpid(),
            "pid": None if self._engine is None else self._engine.pid,
            "failures": self._backoff.failures,
            "stopped": self._stopped,
            "swap": None if self._swap is None else self._swap.result,
        }

    def ask_swap(self, order: Order) -> bool:
        """Begin a swap soon; False while the engine does not serve or another swap runs."""
        if self._state != "serving" or self._order is not None or self._drain_s is not None:
            return False
        self._order = order
        return True

    def ask_stop(self, drain_s: float) -> None:
        """Stop the engine soon, its requests first, and end."""
        self._drain_s = drain_s

    def _supervise(self) -> int:
        engine = self._engine = self._found() or self._start()
        self._undo_unfinished(engine)
        while self._drain_s is None:
            if not lifetime.is_alive(engine.pid, engine.start_ticks):
                again = self._crashed(engine)
                if again is None:
                    return 0 if self._drain_s is not None else 1
                engine = self._engine = again
            if self._order is not None:
                engine = self._engine = self._do_swap(self._order, engine)
                self._order = None
            if self._serving_since is None and has_served(engine.log_path):
                self._serving_since, self._state = time.monotonic(), "serving"
                self._say(f"process {engine.pid} serves at {engine.url}")
            time.sleep(TURN_S)
        self._stop(self._drain_s)
        return 0

    def _found(self) -> Started | None:
        """The engine that a supervisor before this one left."""
        one = serving.find_serving(self._launch.name)
        if one is None:
            return None
        self._say(f"found process {one.pid}, which a supervisor before this one started")
        return started_as(one, log_only=self._launch.log_only)

    def _do_swap(self, order: Order, engine: Started) -> Started:
        self._state = "swapping"
        self._swap = Swap(
            order,
            (self._launch, engine),
            self._listener,
            self._tell,
            called_off=lambda: self._drain_s is not None,
        )
        self._launch, running = self._swap.run()
        tell_result(order, self._launch, self._swap.result)
        self._keep(self._launch)
        self._state, self._serving_since = "serving", time.monotonic()
        return running

    def _tell(self, step: str, text: str) -> None:
        """Say a step of the swap, here and in the ledger's event log."""
        self._say(f"swap: {step}: {text}")
        assert self._swap is not None
        tell_step(self._swap.order, self._launch, f"{step}: {text}")

    def _undo_unfinished(self, engine: Started) -> None:
        """End what a swap has left whose supervisor was killed; the old engine serves on."""
        for name in serving.candidate_names(self._launch.name):
            if serving.find_serving(name) is None:
                continue
            self._say(f"rolling back the swap that a killed supervisor left: ending {name}")
            with contextlib.suppress(TrimtabError):
                Front(front_path(engine.pid, os.geteuid())).open()
            with contextlib.suppress(TrimtabError):
                serving.stop(name, drain_s=serving.DRAIN_S)

    def _start(self) -> Started:
        self._serving_since, self._state = None, "starting"
        started = spawn(self._launch, self._listener)
        self._say(f"started process {started.pid}")
        return started

    def _crashed(self, engine: Started) -> Started | None:
        """Start the engine again after a pause; None if it is given up or to stop."""
        self._say(
            f"process {engine.pid} ended: {why_it_ended(engine.log_path) or 'no reason given'}"
        )
        serving.end_orphans(self._launch.name)
        since = self._serving_since
        if since is None and not self._backoff.failures:
            self._give_up("it never served, and another start would not mend that")
            return None
        pause = self._backoff.crashed(0.0 if since is None else time.monotonic() - since)
        if pause is None:
            self._give_up(f"it ended {self._backoff.failures} times in a row")
            return None
        self._state = "waiting to start again"
        self._say(f"starts again in {pause:g} s")
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if self._drain_s is not None:
                return None
            time.sleep(TURN_S)
        return self._start()

    def _give_up(self, why: str) -> None:
        self._state = "given up"
        serving.forget(self._launch.name)
        self._say(f"GIVEN UP: {why}. Connections to {self._launch.url} are refused from now on")

    def _stop(self, drain_s: float) -> None:
        self._state = "stopping"
        self._say("stopping: no new connections, what runs may finish")
        try:
            stopped = serving.stop(self._launch.name, drain_s=drain_s, listener=self._listener)
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

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self._launch.name}: {text}\n")
            sys.stderr.flush()
