"""While the engine serves: it may crash, be swapped or be stopped."""

from __future__ import annotations

import time

from engines.host import lifetime
from engines.supervisor.states.context import TURN_S, Context
from engines.supervisor.states.state import Serving, State, Stopping, Swapping
from engines.supervisor.states.stopping import crashed


def serve(context: Context, state: Serving) -> State:
    """Wait until something comes about."""
    engine = context.engine = state.engine
    context.log_rotation.watch(engine.log_path)
    while context.requests.drain_s is None:
        if not lifetime.is_alive(engine.pid, engine.start_ticks):
            return crashed(context, engine)
        if context.requests.order is not None:
            return Swapping(engine, context.requests.order)
        time.sleep(TURN_S)
    return Stopping(context.requests.drain_s)
