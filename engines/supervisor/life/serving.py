"""While the engine serves: it may crash, be swapped or be stopped."""

from __future__ import annotations

import time

from engines.host import lifetime
from engines.supervisor.life.ending import crashed
from engines.supervisor.life.shared import TURN_S, Life
from engines.supervisor.life.states import Serving, State, Stopping, Swapping


def serve(life: Life, state: Serving) -> State:
    """Wait until something comes about."""
    engine = life.engine = state.engine
    life.log_rotation.watch(engine.log_path)
    while life.requests.drain_s is None:
        if not lifetime.is_alive(engine.pid, engine.start_ticks):
            return crashed(life, engine)
        if life.requests.order is not None:
            return Swapping(engine, life.requests.order)
        time.sleep(TURN_S)
    return Stopping(life.requests.drain_s)
