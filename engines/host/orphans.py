"""What an engine left behind whose API server died: named with the memory it holds, and ended."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from engines.host import lifetime, procfs
from engines.host.memory import private_bytes
from engines.host.processes import orphans
from engines.host.procfs import Process

GRACE_S = 5.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Orphan:
    """A topmost process without its engine. `memory_bytes` of the host is held by it and those
    below it alone; None where that cannot be read."""

    pid: int
    title: str
    memory_bytes: int | None


def find_orphans() -> list[Orphan]:
    """Every orphan on this machine that can be seen."""
    return [Orphan(one.pid, one.comm, private_bytes(one.pid)) for one in orphans()]


def end_orphans() -> list[Orphan]:
    """End the orphans that are ours to end, with all below them; those that are gone now."""
    table = procfs.processes()
    ours = [one for one in orphans(table) if os.geteuid() in (0, procfs.user_id(one.pid))]
    told = {one.pid: Orphan(one.pid, one.comm, private_bytes(one.pid)) for one in ours}
    members = {one.pid: _family(one, table) for one in ours}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, ticks in _living(members):
            lifetime.send(pid, ticks, number)
        until = time.monotonic() + GRACE_S
        while _living(members) and time.monotonic() < until:
            time.sleep(_POLL_S)
    return [told[pid] for pid, family in members.items() if not _living({pid: family})]


def _family(orphan: Process, table: dict[int, Process]) -> list[tuple[int, int]]:
    """The orphan and all below it: PIDs, and the start ticks that tell them from later ones."""
    pids = [orphan.pid, *(one.pid for one in procfs.descendants(orphan.pid, table))]
    known = ((pid, lifetime.start_ticks(pid)) for pid in pids)
    return [(pid, ticks) for pid, ticks in known if ticks is not None]


def _living(members: dict[int, list[tuple[int, int]]]) -> list[tuple[int, int]]:
    every = (one for family in members.values() for one in family)
    return [(pid, ticks) for pid, ticks in every if lifetime.is_alive(pid, ticks)]
