"""How an engine ends: by itself, for good, or because it was asked to."""

from __future__ import annotations

import contextlib
import socket
import time

from engines.host import lifetime
from engines.serving import registry, stopping
from engines.serving.causes import exit_words, why_it_ended
from engines.serving.started import Started
from engines.supervisor.states.context import Context
from engines.supervisor.states.state import GivenUp, NotStopped, Pausing, State, Stopped, Stopping
from engines.supervisor.states.unfinished import end_unfinished, tell_unfinished
from store.errors import TrimtabError


def crashed(context: Context, engine: Started) -> State:
    """What follows when the engine has ended by itself."""
    why = why_it_ended(engine.log_path) or "no reason given"
    context.say(f"process {engine.pid} ended{exit_words(engine.pid)}: {why}")
    stopping.end_orphans(context.launch.name)
    since = context.serving_since
    seen_from_beginning = context.watch is not None and context.watch.from_beginning
    if since is None and not context.backoff.failures and seen_from_beginning:
        return give_up(context, "it never served, and another start would not mend that")
    return Pausing(0.0 if since is None else time.monotonic() - since)


def give_up(context: Context, reason: str) -> GivenUp:
    """Let go of the engine and say so."""
    registry.forget(context.launch.name)
    tell_unfinished(context)
    context.say(f"GIVEN UP: {reason}. Connections to {context.launch.url} are refused from now on")
    return GivenUp()


def write_down_again(context: Context) -> None:
    """Somebody may have removed the engine's file: without it there would be nothing to stop."""
    engine, launch = context.engine, context.launch
    if engine is None or registry.find_serving(launch.name) is not None:
        return
    if lifetime.is_alive(engine.pid, engine.start_ticks):
        serving = registry.Serving(
            launch.name,
            engine.pid,
            engine.start_ticks,
            engine.url,
            launch.model,
            str(engine.log_path),
            boot=lifetime.boot_id(),
        )
        with contextlib.suppress(OSError):
            registry.save(serving)


def stop(context: Context, state: Stopping) -> State:
    """End the engine, its requests first."""
    name = context.launch.name
    pid = 0 if context.engine is None else context.engine.pid
    context.remember(context.memory.stopping(state.drain_s))
    context.say("stopping: no new connections, what runs may finish")
    write_down_again(context)
    until = time.monotonic() + state.drain_s
    try:
        stopped = stopping.stop(name, drain_s=state.drain_s, listener=context.listener)
    except stopping.WillNotGo as error:
        context.say(f"{error.what}: {error.meaning}")
        context.stopped = stopping.Stopped(name, pid, False, (), 0.0, error.pids)
        return NotStopped()
    except TrimtabError as error:
        context.say(f"it had ended already: {error.what}")
        stopped = stopping.Stopped(name, pid, drained=True, killed=(), took_s=0.0)
    else:
        context.say(f"stopped in {stopped.took_s:.1f} s")
    end_unfinished(context, max(0.0, until - time.monotonic()))  # it has taken nothing new either
    tell_unfinished(context)
    context.stopped = stopped
    with contextlib.suppress(OSError):
        context.listener.shutdown(socket.SHUT_RDWR)  # the keeper's copy, too: refuse from now on
    return Stopped()
