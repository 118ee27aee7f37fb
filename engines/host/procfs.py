"""Processes as Linux tells them in /proc, read directly.

Any process may vanish between two reads and another user's may be closed to us, so every function
here answers None (or leaves the process out) in place of raising.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engines.cleaning.redact import redact_environment

MAX_BYTES = 1 << 20
"""More than Linux lets one argument list or environment hold in practice; a bound, not a need."""

STRANGER_BYTES = 4096
STRANGER_WORDS = 100
"""So much of another user's command line is read: it is as long as that user likes, and there are
as many as that user likes."""

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_ENDED = frozenset("ZXx")
_KERNEL_THREADS = 2


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `comm` is cut at 15 characters by the kernel; `started_ms` has the kernel's
    resolution of a clock tick on top of the whole second of the boot time."""

    pid: int
    ppid: int
    comm: str
    arguments: tuple[str, ...]
    started_ms: int


def read_lines(path: str) -> Iterator[bytes]:
    """The lines of a /proc file, however many: others decide how long the kernel's tables are, and
    what stands before our own. Ends where it is gone or closed to us."""
    try:
        with open(path, "rb") as table:  # noqa: PTH123 - as below
            yield from table
    except OSError:
        return


def read_text(path: str, max_bytes: int = MAX_BYTES) -> str | None:
    """A /proc file, about `max_bytes` of it at most; None where it is gone or closed to us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    chunks: list[bytes] = []
    size = 0
    try:
        while size < max_bytes and (chunk := os.read(descriptor, min(max_bytes, 1 << 16))):
            chunks.append(chunk)
            size += len(chunk)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return b"".join(chunks).decode("utf-8", "replace")


@cache
def boot_ms() -> int:
    """When the machine started, on the wall clock; read once so that start times agree."""
    for line in (read_text("/proc/stat") or "").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) * 1000
    return 0


def read_process(pid: int) -> Process | None:
    """One process, or None when it is gone, dead but not reaped, or hidden from us."""
    stat = read_text(f"/proc/{pid}/stat")
    if stat is None:
        return None
    # comm stands in parentheses and may itself hold spaces and parentheses: the last one closes it.
    opening, closing = stat.find("("), stat.rfind(")")
    fields = stat[closing + 1 :].split()
    if opening < 0 or closing < opening or len(fields) < 20 or fields[0] in _ENDED:
        return None
    return Process(
        pid=pid,
        ppid=int(fields[1]),
        comm=stat[opening + 1 : closing],
        arguments=_arguments(pid),
        started_ms=boot_ms() + int(fields[19]) * 1000 // CLOCK_TICKS,
    )


def _arguments(pid: int) -> tuple[str, ...]:
    """The command line; of another user's only whole words of its beginning, where it is long."""
    path = f"/proc/{pid}/cmdline"
    cmdline = read_text(path, STRANGER_BYTES) or ""
    is_long = len(cmdline) >= STRANGER_BYTES or cmdline.count("\0") > STRANGER_WORDS
    if is_long and user_id(pid) == os.geteuid():
        cmdline = read_text(path) or ""
    elif is_long:
        cmdline = "\0".join(cmdline.split("\0", STRANGER_WORDS)[:-1])
    return tuple(cmdline.rstrip("\0").split("\0")) if cmdline.strip("\0") else ()


def process_ids() -> list[int]:
    """Every PID that we are allowed to see."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def processes(*, no_strangers: bool = False) -> dict[int, Process]:
    """Every visible process but the kernel's threads, by PID; with `no_strangers` none of another
    user's but root's: they may be any number, and to look whose one is costs a twentieth."""
    table = {}
    for pid in process_ids():
        if no_strangers and _is_strangers(pid):
            continue
        process = read_process(pid)
        if process is not None and _KERNEL_THREADS not in (process.pid, process.ppid):
            table[pid] = process
    return table


def _is_strangers(pid: int) -> bool:
    """Root is none: where memory is closed the kernel names root as the owner of one's own too."""
    try:
        return os.stat(f"/proc/{pid}").st_uid not in (0, os.geteuid())  # noqa: PTH116 - as below
    except OSError:
        return True


def ancestors(pid: int, table: Mapping[int, Process] | None = None) -> Iterator[Process]:
    """The process itself, its parent, and so on upward, as far as they can be seen.

    `table` saves reading /proc again where the caller has one.
    """
    seen_pids: set[int] = set()
    while pid > 0 and pid not in seen_pids:
        seen_pids.add(pid)
        process = table.get(pid) if table is not None else read_process(pid)
        if process is None:
            return
        yield process
        pid = process.ppid


def children_of(table: Mapping[int, Process]) -> dict[int, list[Process]]:
    """The processes that each PID is the parent of."""
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.ppid, []).append(process)
    return children


def descendants(root: int, table: Mapping[int, Process]) -> list[Process]:
    """Every process below `root`, nearest first."""
    return below(root, children_of(table))


def below(root: int, children: Mapping[int, Sequence[Process]]) -> list[Process]:
    """As `descendants`, where the children are known: that saves going through all processes for
    each of many roots."""
    family: list[Process] = []
    seen_pids = {root}
    level_pids = [root]
    while level_pids:
        next_level = [
            process
            for pid in level_pids
            for process in children.get(pid, ())
            if process.pid not in seen_pids
        ]
        seen_pids.update(process.pid for process in next_level)
        family += next_level
        level_pids = [process.pid for process in next_level]
    return family


def pids_below(root: int) -> list[int]:
    """The PIDs below a process, nearest first, by each one's own list of children where this
    kernel keeps one: other users may have any number of processes. A child that ends meanwhile can
    hide another (proc(5)): for a figure, and not to end them."""
    if read_text(f"/proc/{root}/task/{root}/children") is None:
        return [process.pid for process in descendants(root, processes())]
    pids, next_pids = [], _children(root)
    while next_pids:
        pids += next_pids
        next_pids = [child for pid in next_pids for child in _children(pid)]
    return pids


def _children(pid: int) -> list[int]:
    """A process's children, whichever of its threads began them."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - hundreds of entries
    except OSError:
        return []
    lists = (read_text(f"/proc/{pid}/task/{thread}/children") or "" for thread in threads)
    return [int(child) for children in lists for child in children.split()]


def status_field(pid: int, name: str) -> list[str] | None:
    """The words after `name` (with its colon) in /proc/PID/status; None where there are none."""
    for line in (read_text(f"/proc/{pid}/status") or "").splitlines():
        if line.startswith(name):
            return line.split()[1:]
    return None


def user_id(pid: int) -> int | None:
    """The user of a process; None where that is not one alone.

    Anybody may start a setuid program with a command line of their choice: it acts with another
    user's rights and is not that user's.
    """
    try:
        owner = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - of hundreds, paths cost
    except OSError:
        return None
    if owner:
        return owner
    # Root's, or of one whose memory is closed to its own user: there the kernel names root.
    field = status_field(pid, "Uid:")
    return int(field[0]) if field and len(set(field)) == 1 else None


def namespace_pids(pid: int) -> list[int]:
    """The PIDs of a process in each namespace that it is in, ours first and its own last."""
    return [int(number) for number in status_field(pid, "NSpid:") or () if number.isdecimal()]


def inner_pid(pid: int) -> int:
    """The PID a process knows itself by: another one inside a container."""
    pids = namespace_pids(pid)
    return pids[-1] if pids else pid


def working_directory(pid: int) -> Path | None:
    """Where a process runs, or None where we may not know."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def network_of(pid: int | None = None) -> int | None:
    """A number for the network that a process (or this program) lives in; None when unknown.

    It is the inode of a file that the kernel makes anew for each network: unlike /proc/PID/ns it
    may be looked at whoever's the process is.
    """
    try:
        return Path(f"/proc/{pid or 'self'}/net/tcp").stat().st_ino
    except OSError:
        return None


def same_network(pid: int) -> bool:
    """Whether the process shares our network (False inside most containers). True when unknown."""
    network = network_of(pid)
    return network is None or network == network_of()


def environment(pid: int, prefixes: Iterable[str]) -> dict[str, str] | None:
    """The variables a process was started with whose names begin with one of `prefixes`.

    Values that look like secrets are already replaced. None where the environment is closed to us
    or was overwritten, as setproctitle does.
    """
    text = read_text(f"/proc/{pid}/environ")
    if not text or not text.strip("\0"):
        return None
    wanted_prefixes = tuple(prefixes)
    pairs = (
        entry.partition("=") for entry in text.split("\0") if entry.startswith(wanted_prefixes)
    )
    return redact_environment({name: value for name, _, value in pairs})
