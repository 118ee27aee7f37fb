"""Starting the engine: a process, its way to the first request, the pause before another try."""

from __future__ import annotations

import contextlib
import os
import time

from engines.control.api_front import Front, front_path
from engines.host import lifetime
from engines.launch.spawn import spawn
from engines.serving import registry
from engines.serving.start_watch import StartWatch
from engines.serving.started import Started
from engines.supervisor.common.telling import tell_start
from engines.supervisor.states.context import TURN_S, Context
from engines.supervisor.states.state import Loading, Pausing, Serving, Starting, State, Stopping
from engines.supervisor.states.stopping import crashed, give_up
from engines.supervisor.states.unfinished import end_unfinished, tell_unfinished
from store.errors import TrimtabError


def start(context: Context, _: Starting) -> State:
    """Begin a process; where that cannot even be done (a full disk), try again later."""
    context.serving_since = None
    try:
        engine = spawn(context.launch, context.listener)
    except TrimtabError as error:
        context.say(f"it cannot be started: {error}")
        return Pausing(0.0)
    context.watch = StartWatch(engine)
    context.say(f"started process {engine.pid}")
    return Loading(engine)


def load(context: Context, state: Loading) -> State:
    """Wait until the engine takes requests."""
    engine = context.engine = state.engine
    end_unfinished(context)
    assert context.watch is not None
    while context.requests.drain_s is None:
        if not lifetime.is_alive(engine.pid, engine.start_ticks):
            return crashed(context, engine)
        if not context.watch.from_beginning:
            # The supervisor before this one may have closed it, or was to open it once it stands.
            _open_front(engine)
        context.watch.look()
        if context.watch.serves():
            _has_started(context, engine, context.watch)
            return Serving(engine)
        time.sleep(TURN_S)
    return Stopping(context.requests.drain_s)


def _open_front(engine: Started) -> None:
    """Let an engine take connections that was found; one that still starts has no front yet."""
    with contextlib.suppress(TrimtabError):
        Front(front_path(engine.pid, os.geteuid())).open()


def _has_started(context: Context, engine: Started, watch: StartWatch) -> None:
    context.serving_since = time.monotonic()
    registry.note_members(context.launch.name)
    context.say(f"process {engine.pid} serves at {engine.url}")
    if context.memory.swap is not None:
        tell_unfinished(context)
    elif watch.from_beginning:
        beside = len(registry.list_serving()) > 1
        tell_start(context.db, context.launch, watch.times(), beside=beside)


def pause(context: Context, state: Pausing) -> State:
    """Let the time pass until the next start, if there is to be one."""
    seconds = context.backoff.crashed(state.served_s)
    if seconds is None:
        return give_up(context, f"it ended {context.backoff.failures} times in a row")
    context.say(f"starts again in {seconds:g} s")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if context.requests.drain_s is not None:
            return Stopping(context.requests.drain_s)
        time.sleep(TURN_S)
    return Starting()
