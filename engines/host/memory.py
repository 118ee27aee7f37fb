"""The memory of the host, or of the control group an engine runs in, whichever is less."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engines.host.procfs import pids_below, read_text

_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1 << 10
_MOUNT = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 62
"""cgroup v1 says "none" by a number close to 2^63."""


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Bytes in all and bytes that can be had without swapping; None is unknown."""

    total: int | None
    available: int | None


def host_memory(pid: int, mount: Path = _MOUNT) -> HostMemory:
    """What /proc/meminfo says is available, and what the control groups above a process (both
    versions) leave: their limit less what is used, page cache that can go not counted."""
    fields = _fields("/proc/meminfo")
    total, available = fields.get("MemTotal"), fields.get("MemAvailable")
    memory = HostMemory(
        None if total is None else total * _KIB, None if available is None else available * _KIB
    )
    for limit, used in _group_limits(pid, mount):
        memory = HostMemory(
            limit if memory.total is None else min(memory.total, limit),
            max(0, limit - used)
            if memory.available is None
            else max(0, min(memory.available, limit - used)),
        )
    return memory


def private_bytes(root: int) -> int | None:
    """Memory that the end of a process and of all below it sets free, in bytes.

    Resident less shared: file pages, of the libraries say, count as available as it is.
    """
    private = None
    for pid in (root, *pids_below(root)):
        words = (read_text(f"/proc/{pid}/statm") or "").split()
        if len(words) > 2:
            private = (private or 0) + (int(words[1]) - int(words[2])) * _PAGE
    return private


def _group_limits(pid: int, mount: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) in bytes of each control group above a process that has a limit."""
    for line in (read_text(f"/proc/{pid}/cgroup") or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            yield from _limits_above(mount, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _limits_above(mount / "memory", path, *names)


def _limits_above(
    mount: Path, path: str, limit_file: str, used_file: str, cache: str
) -> Iterator[tuple[int, int]]:
    group = mount / path.lstrip("/")
    # In a container the path may be the host's: what is mounted is then its own group alone.
    while group.is_relative_to(mount):
        limit = _number(group / limit_file)
        used = _number(group / used_file)
        if limit is not None and used is not None and limit < _NO_LIMIT:
            yield limit, max(0, used - _fields(str(group / "memory.stat")).get(cache, 0))
        if group == mount:
            return
        group = group.parent


def _number(path: Path) -> int | None:
    text = (read_text(str(path)) or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _fields(path: str) -> dict[str, int]:
    """`name: number …` or `name number` lines."""
    fields = {}
    for line in (read_text(path) or "").splitlines():
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[1].isdigit():
            fields[words[0]] = int(words[1])
    return fields
