"""How an engine ends: by itself, for good, or because it was asked to."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import replace

from engines.host import lifetime
from engines.serving import registry, stopping
from engines.serving.causes import why_it_ended
from engines.serving.started import Started
from engines.supervisor.life.shared import Life
from engines.supervisor.life.states import GivenUp, Pausing, State, Stopped, Stopping
from engines.supervisor.life.unfinished import tell_unfinished
from store.errors import TrimtabError


def crashed(life: Life, engine: Started) -> State:
    """What follows when the engine has ended by itself."""
    life.say(f"process {engine.pid} ended: {why_it_ended(engine.log_path) or 'no reason given'}")
    stopping.end_orphans(life.launch.name)
    since = life.serving_since
    seen_from_beginning = life.watch is not None and life.watch.from_beginning
    if since is None and not life.backoff.failures and seen_from_beginning:
        return give_up(life, "it never served, and another start would not mend that")
    return Pausing(0.0 if since is None else time.monotonic() - since)


def give_up(life: Life, reason: str) -> GivenUp:
    """Let go of the engine and say so."""
    registry.forget(life.launch.name)
    tell_unfinished(life)
    life.say(f"GIVEN UP: {reason}. Connections to {life.launch.url} are refused from now on")
    return GivenUp()


def write_down_again(life: Life) -> None:
    """Somebody may have removed the engine's file: without it there would be nothing to stop."""
    engine, launch = life.engine, life.launch
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


def stop(life: Life, state: Stopping) -> State:
    """End the engine, its requests first."""
    name = life.launch.name
    life.remember(replace(life.memory, stopping_s=state.drain_s))
    life.say("stopping: no new connections, what runs may finish")
    write_down_again(life)
    try:
        stopped = stopping.stop(name, drain_s=state.drain_s, listener=life.listener)
    except TrimtabError as error:
        life.say(f"it had ended already: {error.what}")
        pid = 0 if life.engine is None else life.engine.pid
        stopped = stopping.Stopped(name, pid, drained=True, killed=(), took_s=0.0)
    else:
        life.say(f"stopped in {stopped.took_s:.1f} s")
    tell_unfinished(life)
    life.stopped = stopped
    with contextlib.suppress(OSError):
        life.listener.shutdown(socket.SHUT_RDWR)  # the keeper's copy, too: refuse from now on
    return Stopped()
