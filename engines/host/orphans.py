"""What an engine left behind whose API server died: named with the memory it holds, and ended."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engines.host import lifetime, procfs
from engines.host.ending import end_processes, those_alive
from engines.host.memory import private_bytes
from engines.host.processes import orphans
from engines.host.procfs import Process

GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Orphan:
    """A topmost process without its engine. `memory_bytes` of the host is held by it and those
    below it alone; None where that cannot be read."""

    pid: int
    title: str
    memory_bytes: int | None


def find_orphans() -> list[Orphan]:
    """Every orphan on this machine that can be seen."""
    return [_described(process) for process in orphans()]


def end_orphans() -> list[Orphan]:
    """End the orphans that are ours to end, with all below them; those that are gone now."""
    table = procfs.processes()
    own_orphans = [
        process for process in orphans(table) if os.geteuid() in (0, procfs.user_id(process.pid))
    ]
    descriptions = [_described(process) for process in own_orphans]
    families = {process.pid: _family(process, table) for process in own_orphans}
    members = {pid: ticks for family in families.values() for pid, ticks in family.items()}
    end_processes(members, lambda: those_alive(members), grace_s=GRACE_S, gone_s=GRACE_S)
    return [orphan for orphan in descriptions if not those_alive(families[orphan.pid])]


def _described(process: Process) -> Orphan:
    return Orphan(process.pid, process.comm, private_bytes(process.pid))


def _family(orphan: Process, table: dict[int, Process]) -> dict[int, int]:
    """The orphan and all below it, PID → start ticks."""
    pids = [orphan.pid, *(process.pid for process in procfs.descendants(orphan.pid, table))]
    return {pid: began for pid in pids if (began := lifetime.start_ticks(pid)) is not None}
