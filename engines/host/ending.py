"""Ending processes: SIGTERM, time to go, SIGKILL; no signal ever meets a later process with the
same PID."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

from engines.host import lifetime

Members = Mapping[int, int]
"""Processes, PID → start ticks."""

_POLL_S = 0.1


def end_processes(
    members: Members, living: Callable[[], Members], *, grace_s: float, gone_s: float = 5.0
) -> tuple[int, ...]:
    """SIGTERM to those `members`, SIGKILL to whoever of `living()` is left after `grace_s`.

    Waits at most `gone_s` more for the killed to go; `living()` tells afterwards who stays. Gives
    back the PIDs that had to be killed.
    """
    for pid, ticks in members.items():
        lifetime.send(pid, ticks, signal.SIGTERM)
    remaining = _outlast(living, grace_s)
    killed = [pid for pid, ticks in remaining.items() if lifetime.send(pid, ticks, signal.SIGKILL)]
    _outlast(living, gone_s)
    return tuple(sorted(killed))


def those_alive(members: Members) -> dict[int, int]:
    """Those of these processes that still live."""
    return {pid: ticks for pid, ticks in members.items() if lifetime.is_alive(pid, ticks)}


def _outlast(living: Callable[[], Members], seconds: float) -> Members:
    """Wait for processes to go; those left after `seconds`."""
    deadline = time.monotonic() + seconds
    while (remaining := living()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return remaining
