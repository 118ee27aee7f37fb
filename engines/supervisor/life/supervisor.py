"""One engine's supervisor: goes from state to state, and says and takes what it is asked."""

from __future__ import annotations

import os

from engines.cleaning.redact import redact_arguments
from engines.inside.trimtab_inside.private_socket.protocol import BadRequest
from engines.supervisor.life.adopting import adopt
from engines.supervisor.life.ending import stop
from engines.supervisor.life.recovering import recover
from engines.supervisor.life.serving import serve
from engines.supervisor.life.shared import Life
from engines.supervisor.life.starting import load, pause, start
from engines.supervisor.life.states import (
    Adopting,
    Ended,
    Loading,
    Pausing,
    Recovering,
    Serving,
    Starting,
    State,
    Stopping,
    Swapping,
)
from engines.supervisor.life.swapping import run_swap
from engines.supervisor_client.adoption_report import FRUITLESS
from engines.supervisor_client.client import NOT_NOW, STALE
from engines.supervisor_client.status import SupervisorStatus
from engines.supervisor_client.swap_order import Order

TELL_S = 2.0
"""For how long the outcome can still be asked for."""


class Supervisor:
    """`run` goes on until the engine is stopped or given up; the rest is called by the thread that
    answers."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._state: State = Recovering() if life.adoption is None else Adopting()

    def run(self) -> int:
        """Supervise to the end; the exit status."""
        while not isinstance(self._state, Ended):
            self._enter(self._after(self._state))
        if self._state.lingers:
            self._life.end_told.wait(TELL_S)
        return self._state.exit_status

    def _enter(self, state: State) -> None:
        self._state = state

    def _after(self, state: State) -> State:
        """Do what is done in this state; the one after it."""
        life = self._life
        match state:
            case Adopting():
                return adopt(life, state)
            case Recovering():
                return recover(life, state)
            case Starting():
                return start(life, state)
            case Loading():
                return load(life, state)
            case Serving():
                return serve(life, state)
            case Swapping():
                return run_swap(life, state, self._enter)
            case Pausing():
                return pause(life, state)
            case Stopping():
                return stop(life, state)
        raise AssertionError(state)

    def status(self) -> SupervisorStatus:
        """What it does now, for whoever asks."""
        life, memory = self._life, self._life.memory
        adoption = None if life.adoption is None else life.adoption.report
        fruitless = adoption is not None and adoption.outcome in FRUITLESS
        if life.stopped is not None or fruitless:
            life.end_told.set()
        before = memory.before[-1] if memory.before else None
        return SupervisorStatus(
            state=self._state.words,
            supervisor=os.getpid(),
            pid=None if life.engine is None else life.engine.pid,
            failures=life.backoff.failures,
            variant=memory.launch.variant,
            before=None if before is None else before.variant,
            before_command=() if before is None else redact_arguments(before.arguments),
            launch_id=memory.launch_id,
            swap=life.swap,
            adoption=adoption,
            stopped=life.stopped,
        )

    def ask_swap(self, order: Order) -> None:
        """Begin a swap soon; raises `BadRequest` where it cannot be, or not as it was planned."""
        requests, memory = self._life.requests, self._life.memory
        if requests.order is not None or isinstance(self._state, Swapping):
            raise BadRequest(
                NOT_NOW, "a swap runs already: it comes to its end or is called off first"
            )
        if not isinstance(self._state, Serving) or requests.drain_s is not None:
            raise BadRequest(NOT_NOW, f"the engine does not serve now: it is {self._state.words}")
        if order.variant is None and not memory.before:
            raise BadRequest(NOT_NOW, "no swap of this engine can be taken back")
        if order.planned_on not in ("", memory.launch_id):
            raise BadRequest(STALE, f"it has been swapped since, to {memory.launch.variant}")
        requests.call_off = False
        requests.order = order

    def ask_call_off(self) -> None:
        """Let the swap that runs go back; raises `BadRequest` where none does."""
        requests = self._life.requests
        if requests.order is None and not isinstance(self._state, Swapping):
            raise BadRequest(NOT_NOW, "no swap runs")
        requests.call_off = True

    def ask_stop(self, drain_s: float) -> None:
        """Stop the engine soon, its requests first, and end."""
        self._life.requests.drain_s = drain_s
