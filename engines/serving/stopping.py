"""Stopping an engine that we started, without cutting requests."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from engines.control.api_front import Front, FrontState, front_path
from engines.control.wire import ControlLost, ControlRefused
from engines.host import lifetime
from engines.host.ending import Members, end_processes, those_alive
from engines.serving.log_phases import has_served
from engines.serving.names import is_in_swap
from engines.serving.registry import Serving, forget, list_serving, recorded
from engines.serving.registry import family as family_of
from store.errors import NotAchieved, TrimtabError

_POLL_S = 0.2
DRAIN_S = 30.0
ASK_S = 2.0
GRACE_S = 20.0
STARTING_GRACE_S = 2.0
IDLE_S = 6.0
"""vLLM closes a connection that was idle for 5 s."""


class WillNotGo(NotAchieved):
    """Processes of the engine live on after SIGKILL: what they hold is not free."""

    def __init__(self, name: str, pids: Iterable[int], log: Path) -> None:
        self.pids = tuple(sorted(pids))
        listed = ", ".join(map(str, self.pids))
        super().__init__(f"{name} will not go: PID {listed}", "the kernel holds it", f"see {log}")


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an engine ended: whether its requests were finished, what had to be killed, and what
    lives on all the same."""

    name: str
    pid: int
    drained: bool
    killed: tuple[int, ...]
    took_s: float
    remaining: tuple[int, ...] = ()


def stop(
    name: str,
    *,
    drain_s: float = DRAIN_S,
    grace_s: float = GRACE_S,
    on_wait: Callable[[str], None] | None = None,
    listener: socket.socket | None = None,
) -> Stopped:
    """End an engine that we started: let it finish its requests, SIGTERM, at the last SIGKILL.

    Waits at most `drain_s` for running requests to reach 0 (vLLM cuts at SIGTERM what still runs)
    and `grace_s` for its processes to go, less for one that still starts: it has no request to lose
    and is deaf to SIGTERM while it loads. Only processes of its own session are signalled.
    Raises `NotAchieved` when there is no such engine, `WillNotGo` when it will not go.
    """
    serving = recorded(name)
    family = {} if serving is None else family_of(serving)
    if serving is None or not family:
        if serving is not None:
            forget(name)
        raise NotAchieved(
            f"no engine named {name} runs", "", f"running: {_names(list_serving()) or 'none'}"
        )
    began = time.monotonic()
    tell = on_wait or (lambda _: None)
    if front_path(serving.pid, os.geteuid()).exists():
        drained = _drain_front(serving, drain_s, tell, listener)
    else:
        # In a swap the address is another engine's, which must not be asked in its place.
        drained = not is_in_swap(name) and _drain(serving, drain_s, tell)
    tell("ending its processes")
    if not serving.members and not has_served(Path(serving.log)):
        grace_s = min(grace_s, STARTING_GRACE_S)
    killed = _end(serving, grace_s)
    remaining = family_of(serving)
    if remaining:
        raise WillNotGo(name, remaining, Path(serving.log))
    forget(name)
    return Stopped(name, serving.pid, drained, killed, time.monotonic() - began)


def _drain_front(
    serving: Serving,
    drain_s: float,
    tell: Callable[[str], None],
    listener: socket.socket | None,
) -> bool:
    """Close the front and wait until every connection has got its answer; whether it has.

    A front that answers late is asked again: what it has is known to nobody else.
    """
    front = Front(front_path(serving.pid, os.geteuid()))
    deadline = time.monotonic() + drain_s
    idle_since: float | None = None
    state: FrontState | None = None
    while lifetime.is_alive(serving.pid, serving.start_ticks):
        now = time.monotonic()
        try:
            state = front.close() if state is None else front.state()
        except (ControlLost, ControlRefused):
            waiting_for = "an answer"
        else:
            _shut(listener)
            if not state.connections:
                return True
            idle_since = (idle_since or now) if not state.in_flight else None
            if idle_since is not None and now - idle_since >= IDLE_S:
                return True
            waiting_for = f"{state.in_flight} requests"
        if now >= deadline:
            return state is not None and not state.in_flight
        tell(f"waiting for {waiting_for}")
        time.sleep(_POLL_S)
    return False


def _shut(listener: socket.socket | None) -> None:
    if listener is not None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _drain(serving: Serving, drain_s: float, tell: Callable[[str], None]) -> bool:
    """Wait until no request is in flight; False when some were at the end of `drain_s`."""
    from engines import metrics_page
    from engines.web import http  # slow to import

    deadline = time.monotonic() + drain_s
    while lifetime.is_alive(serving.pid, serving.start_ticks):
        try:
            sample = metrics_page.read(http.get(f"{serving.url}/metrics", deadline_s=ASK_S))
        except http.TooSlow:
            if not has_served(Path(serving.log)):
                return False  # connections wait in its queue, and nobody takes them yet
            waiting_for = "an answer"
        except TrimtabError:
            return False
        else:
            in_flight = sample.in_flight or 0
            if not in_flight:
                return True
            waiting_for = f"{in_flight:g} requests"
        if time.monotonic() >= deadline:
            return False
        tell(f"waiting for {waiting_for}")
        time.sleep(_POLL_S)
    return False


def end_orphans(name: str) -> None:
    """End what an engine of ours left behind when its first process died."""
    serving = recorded(name)
    if serving is not None:
        _end(serving, STARTING_GRACE_S)


def _end(serving: Serving, grace_s: float) -> tuple[int, ...]:
    """SIGTERM to the API server, or to all of its session that it left behind; SIGKILL to whatever
    outlives `grace_s`."""

    def living() -> Members:
        return family_of(serving)

    server = those_alive({serving.pid: serving.start_ticks})
    return end_processes(server or living(), living, grace_s=grace_s)


def _names(servings: list[Serving]) -> str:
    return ", ".join(serving.name for serving in servings)
