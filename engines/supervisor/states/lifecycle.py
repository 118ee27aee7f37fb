"""One engine's supervisor: goes from state to state, and says and takes what it is asked."""

from __future__ import annotations

import os
import time
from typing import assert_never

from engines.cleaning.redact import redact_arguments
from engines.inside.trimtab_inside.private_socket.protocol import BadRequest
from engines.supervisor.states.adopting import adopt
from engines.supervisor.states.context import Context
from engines.supervisor.states.recovering import recover
from engines.supervisor.states.serving import serve
from engines.supervisor.states.starting import load, pause, start
from engines.supervisor.states.state import (
    Adopting,
    Ended,
    Going,
    Loading,
    Pausing,
    Recovering,
    Serving,
    Starting,
    State,
    Stopping,
    Swapping,
)
from engines.supervisor.states.stopping import stop
from engines.supervisor.states.swapping import run_swap
from engines.supervisor_client.client import NOT_NOW, STALE
from engines.supervisor_client.status import SupervisorStatus
from engines.supervisor_client.swap_order import Order

TELL_S = 2.0
"""For how long the outcome can still be asked for where nobody says that they have heard it."""
OTHERS_S = 0.5
"""For how long after somebody has: others may ask for it as well."""


class Lifecycle:
    """`run` goes on until the engine is stopped or given up; the rest is called by the thread that
    answers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._state: State = Recovering() if context.adoption is None else Adopting()

    def run(self) -> int:
        """Supervise to the end; the exit status."""
        while not isinstance(state := self._state, Ended):
            self._enter(self._after(state))
        if state.lingers and self._context.end_told.wait(TELL_S):
            time.sleep(OTHERS_S)
        return state.exit_status

    def _enter(self, state: State) -> None:
        self._state = state

    def _after(self, state: Going) -> State:
        """Do what is done in this state; the one after it."""
        context = self._context
        match state:
            case Adopting():
                return adopt(context, state)
            case Recovering():
                return recover(context, state)
            case Starting():
                return start(context, state)
            case Loading():
                return load(context, state)
            case Serving():
                return serve(context, state)
            case Swapping():
                return run_swap(context, state, self._enter)
            case Pausing():
                return pause(context, state)
            case Stopping():
                return stop(context, state)
            case _:
                assert_never(state)

    def status(self) -> SupervisorStatus:
        """What it does now, for whoever asks."""
        context, memory = self._context, self._context.memory
        adoption = None if context.adoption is None else context.adoption.report
        before = memory.before[-1] if memory.before else None
        return SupervisorStatus(
            state=self._state.words,
            supervisor=os.getpid(),
            pid=None if context.engine is None else context.engine.pid,
            failures=context.backoff.failures,
            variant=memory.launch.variant,
            before=None if before is None else before.variant,
            before_command=() if before is None else redact_arguments(before.arguments),
            launch_id=memory.launch_id,
            swap=context.swap,
            adoption=adoption,
            stopped=context.stopped,
        )

    def told(self) -> None:
        """Whoever asked for the end knows how it came out."""
        self._context.end_told.set()

    def ask_swap(self, order: Order) -> None:
        """Begin a swap soon; raises `BadRequest` where it cannot be, or not as it was planned."""
        requests, memory = self._context.requests, self._context.memory
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
        requests = self._context.requests
        if requests.order is None and not isinstance(self._state, Swapping):
            raise BadRequest(NOT_NOW, "no swap runs")
        requests.call_off = True

    def ask_stop(self, drain_s: float) -> None:
        """Stop the engine soon, its requests first, and end."""
        self._context.requests.drain_s = drain_s
