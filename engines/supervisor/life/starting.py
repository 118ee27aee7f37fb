"""Starting the engine: a process, its way to the first request, the pause before another try."""

from __future__ import annotations

import time

from engines.host import lifetime
from engines.launch.spawn import spawn
from engines.serving import registry
from engines.serving.started import Started
from engines.supervisor.common.start_watch import StartWatch
from engines.supervisor.common.telling import tell_start
from engines.supervisor.life.ending import crashed, give_up
from engines.supervisor.life.shared import TURN_S, Life
from engines.supervisor.life.states import Loading, Pausing, Serving, Starting, State, Stopping
from engines.supervisor.life.unfinished import end_unfinished, tell_unfinished
from store.errors import TrimtabError


def start(life: Life, _: Starting) -> State:
    """Begin a process; where that cannot even be done (a full disk), try again later."""
    life.serving_since = None
    try:
        engine = spawn(life.launch, life.listener)
    except TrimtabError as error:
        life.say(f"it cannot be started: {error}")
        return Pausing(0.0)
    life.watch = StartWatch(engine)
    life.say(f"started process {engine.pid}")
    return Loading(engine)


def load(life: Life, state: Loading) -> State:
    """Wait until the engine takes requests."""
    engine = life.engine = state.engine
    end_unfinished(life)
    assert life.watch is not None
    while life.requests.drain_s is None:
        if not lifetime.is_alive(engine.pid, engine.start_ticks):
            return crashed(life, engine)
        if life.watch.serves():
            _has_started(life, engine, life.watch)
            return Serving(engine)
        time.sleep(TURN_S)
    return Stopping(life.requests.drain_s)


def _has_started(life: Life, engine: Started, watch: StartWatch) -> None:
    life.serving_since = time.monotonic()
    registry.note_members(life.launch.name)
    life.say(f"process {engine.pid} serves at {engine.url}")
    if life.memory.swapping is not None:
        tell_unfinished(life)
    elif watch.from_beginning:
        beside = len(registry.list_serving()) > 1
        tell_start(life.db, life.launch, beside=beside, took_s=watch.elapsed_s, phases=watch.phases)


def pause(life: Life, state: Pausing) -> State:
    """Let the time pass until the next start, if there is to be one."""
    seconds = life.backoff.crashed(state.served_s)
    if seconds is None:
        return give_up(life, f"it ended {life.backoff.failures} times in a row")
    life.say(f"starts again in {seconds:g} s")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if life.requests.drain_s is not None:
            return Stopping(life.requests.drain_s)
        time.sleep(TURN_S)
    return Starting()
