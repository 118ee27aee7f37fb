"""Asking the supervisor of an engine: what it does, a swap, a stop."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engines.control.channel import Channel
from engines.control.wire import ControlLost, ControlRefused
from engines.inside.trimtab_inside.private_socket.sockets import place_of
from engines.provision.places import data_dir, is_default_data_dir, supervisor_log
from engines.serving import name_lock, names, registry, stopping
from engines.serving.name_lock import is_held
from engines.supervisor_client.status import SupervisorStatus
from engines.supervisor_client.swap_order import Order
from store.errors import BadInput, NotAchieved
from store.reports.outcomes import RUNNING
from store.reports.swap import SwapReport

BEGIN_S = 20.0
NOTICE_S = 2.0
STOP_ASK_S = 10.0
GIVEN_UP = "given up"
"""The state of a supervisor that has nothing to supervise any more."""
NOT_NOW, STALE = "not now", "stale"
"""The words of a supervisor that refuses: it may later, or never for this plan."""
_POLL_S = 0.1
_SILENT = 50
_DIGITS = 24


def socket_of(name: str) -> Path:
    """Where the supervisor of the engine of this name is asked by its own user."""
    return place_of(socket_name(name), os.geteuid())


def socket_name(name: str) -> str:
    """What the socket of that supervisor is called.

    Sockets lie in one place for each user, and engines are written down in the data directory: one
    that is not the user's own has sockets of its own, so that a name means one engine in each.
    """
    if is_default_data_dir():
        return f"supervisor-{name}.sock"
    # In full it would be too long for a socket's path. No engine's name has an @ in it.
    place = f"{data_dir().resolve()}\0{name}"
    return f"supervisor@{hashlib.sha256(os.fsencode(place)).hexdigest()[:_DIGITS]}.sock"


def status(name: str) -> SupervisorStatus | None:
    """What the supervisor of an engine says of itself; None where none says anything.

    Raises `ControlRefused` where it is too busy to.
    """
    try:
        return SupervisorStatus.from_json(Channel(socket_of(name)).ask({"op": "status"}))
    except ControlLost:
        return None


def is_supervised(name: str) -> bool:
    """Whether the engine of this name has a supervisor; one that is silent, too busy to answer or
    just being followed by another is one: the lock on the name is held."""
    with contextlib.suppress(ControlRefused):
        return status(name) is not None or is_held(name)
    return True


def supervised_as(pid: int | None) -> str | None:
    """What the supervisor of the engine with this topmost process calls it; None without one."""
    return _supervised_where(lambda serving: serving.pid == pid)


def supervised_at(url: str) -> str:
    """The name of the engine whose supervisor owns this address, also in the midst of a swap.

    Raises `NotAchieved` where there is none.
    """
    name = _supervised_where(lambda serving: serving.url == url)
    if name is None:
        raise NotAchieved(f"No supervisor of trimtab's owns {url}")
    return name


def _supervised_where(is_meant: Callable[[registry.Serving], bool]) -> str | None:
    meant = (serving.name for serving in registry.list_serving() if is_meant(serving))
    return next((name for name in map(names.base_name, meant) if is_supervised(name)), None)


def swap(name: str, order: Order, on_step: Callable[[str, str], None]) -> SwapReport:
    """Let the supervisor of an engine swap it, and follow to the end.

    The swap goes on when we are interrupted. Raises `ControlRefused` where it cannot begin now,
    `NotAchieved` where the supervisor is gone.
    """
    begin_swap(name, order)
    return follow_swap(name, order.id, on_step)


def follow_swap(name: str, swap_id: str, on_step: Callable[[str, str], None]) -> SwapReport:
    """Follow a swap that has begun to its end. Raises as `swap` does."""
    steps_shown, silent_turns = 0, 0
    while silent_turns < _SILENT:
        time.sleep(_POLL_S)
        supervisor = status(name)
        report = None if supervisor is None else supervisor.swap
        if report is None or report.id != swap_id:
            silent_turns += 1
            continue
        silent_turns = 0
        for line in report.steps[steps_shown:]:
            on_step(line.step, line.text)
            steps_shown += 1
        if report.outcome != RUNNING:
            return report
    raise NotAchieved(
        f"the supervisor of {name} was lost during the swap",
        "another one takes over and goes back to the old engine",
        f"see {supervisor_log(name)}",
    )


def begin_swap(name: str, order: Order) -> None:
    """Hand an order over; the supervisor does the rest. Raises `NotAchieved` where it cannot begin
    now, `ControlLost` where nobody supervises.
    """
    # It may notice later than we that its engine serves.
    until = time.monotonic() + NOTICE_S
    while True:
        try:
            Channel(socket_of(name)).ask({"op": "swap", "order": order.to_json()})
        except ControlRefused as error:
            if error.code == STALE:
                raise NotAchieved(
                    f"{name} is another engine than the plan was made for",
                    error.what,
                    "look at the plan again, and confirm that one",
                ) from None
            if error.code != NOT_NOW:
                raise
            if time.monotonic() >= until:
                raise NotAchieved(
                    f"{name} cannot be swapped now",
                    error.what,
                    "trimtab undo calls a running one off",
                ) from None
            time.sleep(_POLL_S)
        else:
            return


def as_stopped(stopped: stopping.Stopped, name: str, pid: int) -> stopping.Stopped:
    """How it ended; raises `WillNotGo` where it has not."""
    if stopped.remaining:
        raise stopping.WillNotGo(name, stopped.remaining, supervisor_log(name))
    return replace(stopped, name=name, pid=pid)


def acknowledge(name: str) -> None:
    """The supervisor need not linger for us any more."""
    with contextlib.suppress(ControlLost, ControlRefused):
        Channel(socket_of(name)).ask({"op": "told"})


def _silent(name: str) -> NotAchieved:
    return NotAchieved(
        f"the supervisor of {name} does not answer",
        "it would start again what is ended without it",
        f"let it go on (kill -CONT) or end it, then `trimtab stop {name}` again; "
        f"its log is {supervisor_log(name)}",
    )


def _status_awaited(name: str) -> SupervisorStatus | None:
    """What the supervisor says; None where there is none. Raises `NotAchieved` for one that has
    been silent for a while."""
    until = time.monotonic() + name_lock.LINGERS_S
    while (supervisor := status(name)) is None and is_held(name):
        if time.monotonic() >= until:
            raise _silent(name)
        time.sleep(_POLL_S)
    return supervisor


def _left_of(name: str) -> list[str]:
    """What was written down of an engine whose supervisor is gone, and of a swap in which it went:
    the names to stop."""
    running = [each for each in names.names_in_swap(name) if registry.find_serving(each)]
    return [name, *running] if registry.recorded(name) is not None else running


def call_off(name: str) -> None:
    """Let the swap that runs go back, where it has not taken over yet; returns at once.

    Raises `ControlRefused` where none runs.
    """
    Channel(socket_of(name)).ask({"op": "call off"})


def stop(
    name: str, *, drain_s: float = stopping.DRAIN_S, on_wait: Callable[[str], None] | None = None
) -> stopping.Stopped:
    """End an engine that trimtab started, by its supervisor where it has one.

    As `stopping.stop`, and with a supervisor no request is cut while `drain_s` lasts.
    """
    names.check_name(name)
    supervisor = _status_awaited(name)
    left = [] if supervisor is not None else _left_of(name)
    if supervisor is None and not left:
        there = ", ".join(serving.name for serving in registry.list_serving())
        raise BadInput(f"No engine is called {name!r}", f"There are: {there or 'none'}")
    if supervisor is None:
        stopped = [stopping.stop(one, drain_s=drain_s, on_wait=on_wait) for one in left]
        return replace(stopped[0], name=name)
    try:
        Channel(socket_of(name), STOP_ASK_S).ask({"op": "stop", "drain_s": drain_s})
    except ControlLost:
        raise _silent(name) from None
    until = time.monotonic() + drain_s + stopping.GRACE_S + BEGIN_S
    while time.monotonic() < until:
        current = status(name)
        if current is None:
            break
        if current.stopped is not None:
            acknowledge(name)
            return as_stopped(current.stopped, name, supervisor.pid or 0)
        adoption = current.adoption
        if current.state == GIVEN_UP and adoption is not None:
            acknowledge(name)
            raise NotAchieved(
                f"{name} was not adopted, so it is not trimtab's to stop",
                adoption.reason,
                f"kill {adoption.pid} ends what runs" if adoption.pid else "",
            )
        if on_wait is not None:
            on_wait(current.state)
        time.sleep(_POLL_S)
    raise NotAchieved(
        f"{name}'s supervisor did not say how it ended",
        "",
        f"see {supervisor_log(name)}",
    )
