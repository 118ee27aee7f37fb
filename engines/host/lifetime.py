"""Whether a process that we started still lives, told apart from a later one with the same PID.

A process is known by its PID and its start time in clock ticks since boot (field 22 of
/proc/PID/stat): the kernel reuses the one, never both.
"""

from __future__ import annotations

import os
import signal
import subprocess
from functools import cache
from pathlib import Path

from engines.host import procfs

_children: dict[int, subprocess.Popen[bytes]] = {}


def adopt_child(process: subprocess.Popen[bytes]) -> None:
    """Keep a child of ours, so that its end is noticed and it does not stay a zombie."""
    _children[process.pid] = process


def exit_status(pid: int, wait_s: float = 0.0) -> int | None:
    """How a child of this process ended (negative: by that signal); None if unknown or running.

    One whose main thread has ended is collected only when its other threads have: `wait_s` is how
    long that may take.
    """
    child = _children.get(pid)
    if child is None:
        return None
    try:
        return child.wait(wait_s)
    except subprocess.TimeoutExpired:
        return None


def start_ticks(pid: int) -> int | None:
    """The start time of a living process in clock ticks since boot; None where there is none."""
    stat = procfs.read_text(f"/proc/{pid}/stat")
    if stat is None:
        return None
    fields = stat[stat.rfind(")") + 1 :].split()
    if len(fields) < 20 or fields[0] in "ZXx":
        return None
    return int(fields[19])


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the process that began at `ticks` still runs."""
    exit_status(pid)
    return start_ticks(pid) == ticks


@cache
def boot_id() -> str:
    """Which boot of the machine this is; '' where that cannot be read."""
    return (procfs.read_text("/proc/sys/kernel/random/boot_id") or "").strip()


def program_of(pid: int) -> str:
    """The file that a process runs; '' where that cannot be read."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def session_of(pid: int, ticks: int) -> dict[int, int]:
    """The living processes of the session that the process `pid` began at `ticks`, PID → start
    ticks, itself among them.

    The session keeps them together when the first one was killed and the others belong to init.
    Once none of them lives its number may be another's: where the first process has ended, a daemon
    with the same number cannot be told from what it left behind. Where another process has the PID
    the session is not the one meant. PID 0 and 1 are never ours: session 0 holds the kernel's
    threads and, in a container, whatever the host started.
    """
    if pid <= 1:
        return {}
    exit_status(pid)
    current = start_ticks(pid)
    if current is not None and current != ticks:
        return {}
    members = {}
    for candidate in procfs.process_ids():
        try:
            if os.getsid(candidate) != pid:
                continue
        except OSError:
            continue
        began = start_ticks(candidate)
        if began is not None and began >= ticks:
            members[candidate] = began
    return members


def send(pid: int, ticks: int, number: signal.Signals) -> bool:
    """Signal a process if it is still the one that began at `ticks`."""
    if not is_alive(pid, ticks):
        return False
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True
