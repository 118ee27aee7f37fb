"""The doctor's checks of the machine itself: Python, terminal, disk, ledger, /proc, clock."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from engines.doctor.check import Check
from engines.host.procfs import process_ids, read_process, read_text, user_id
from store.errors import LedgerUnusable

OLDEST_PYTHON = (3, 11)
SMALLEST_TERMINAL = (80, 24)
LEAST_FREE_BYTES = 500 << 20
"""Room for some weeks of readings; `trimtab provision` asks for its own."""

_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "lustre"})
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 512


def python() -> Iterator[Check]:
    """The interpreter's version."""
    version = sys.version.split()[0]
    oldest = ".".join(map(str, OLDEST_PYTHON))
    remedy = "" if sys.version_info >= OLDEST_PYTHON else f"install Python {oldest} or later"
    yield Check("python", not remedy, f"{version} at {sys.executable}", remedy)


def terminal() -> Iterator[Check]:
    """Whether the screen can be drawn: a terminal, its kind, its size, its character set."""
    encoding = (sys.stdout.encoding or "").lower()
    if encoding.replace("-", "") != "utf8":
        finding = f"text goes out as {encoding or 'nothing known'}"
        yield Check("locale", False, finding, "export LC_ALL=C.UTF-8")
    else:
        yield Check("locale", True, "UTF-8")
    kind = os.environ.get("TERM", "")
    if not sys.stdout.isatty():
        yield Check(
            "terminal", None, "the output is no terminal: commands work, the screen does not"
        )
        return
    size = shutil.get_terminal_size()
    finding = f"{kind or 'TERM is not set'}, {size.columns}x{size.lines}"
    if kind in ("", "dumb"):
        yield Check(
            "terminal", False, finding, "export TERM=xterm-256color (in tmux: tmux-256color)"
        )
    elif size.columns < SMALLEST_TERMINAL[0] or size.lines < SMALLEST_TERMINAL[1]:
        yield Check("terminal", False, finding, "make it 80x24 or larger")
    else:
        yield Check("terminal", True, finding)


def data_directory(path: Path) -> Iterator[Check]:
    """Whether the ledger's directory can be written, has room, and is on a disk of this machine."""
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        finding = f"{existing} cannot be written"
        yield Check("data directory", False, finding, "give yourself write permission, or use --db")
        return
    free = shutil.disk_usage(existing).free
    finding = f"{path}, {free / (1 << 30):.1f} GiB free"
    yield Check("data directory", free >= LEAST_FREE_BYTES, finding, _room(free))
    kind = file_system(existing)
    if kind in _NETWORK_FILE_SYSTEMS:
        finding = f"{path} is on {kind}: SQLite's write-ahead log is not safe across a network"
        yield Check("data directory", False, finding, "use --db with a file on a local disk")


def _room(free: int) -> str:
    return "" if free >= LEAST_FREE_BYTES else "make room on this disk"


def file_system(path: Path) -> str:
    """The type of the file system that holds a path, '' if unknown."""
    longest_mount, kind = "", ""
    resolved = f"{path.resolve()}/"
    for line in (read_text("/proc/self/mounts") or "").splitlines():
        fields = line.split()
        mount = f"{fields[1].rstrip('/')}/" if len(fields) > 2 else ""
        if mount and resolved.startswith(mount) and len(mount) >= len(longest_mount):
            longest_mount, kind = mount, fields[2]
    return kind


def ledger(path: Path) -> Iterator[Check]:
    """Whether the ledger can be opened; it is not made, nor brought up to date."""
    from store.ledger.connection import Ledger

    if not path.exists():
        yield Check("ledger", True, f"{path} is made at the first recording")
        return
    try:
        opened = Ledger.open(path, readonly=True)
    except LedgerUnusable as error:
        yield Check(
            "ledger", False, ". ".join(filter(None, (error.what, error.meaning))), error.remedy
        )
        return
    opened.close()
    yield Check("ledger", True, f"{path}, {path.stat().st_size / (1 << 20):.1f} MiB")


def process_visibility() -> Iterator[Check]:
    """Whether other users' processes can be seen and looked into."""
    hidepid = proc_hidepid()
    if hidepid and os.geteuid() != 0:
        finding = f"/proc is mounted with hidepid={hidepid}: other users' engines cannot be found"
        yield Check("processes", None, finding, "run trimtab as the engine's user, or as root")
        return
    has_others = any(
        user_id(pid) != os.geteuid()
        for pid in process_ids()
        if (process := read_process(pid)) is not None and process.arguments
    )
    if os.geteuid() == 0 or not has_others:
        yield Check("processes", True, "every process can be looked into")
    else:
        finding = "other users' engines can be found and observed, not changed"
        yield Check("processes", True, finding, "run trimtab as their user to change knobs")


def proc_hidepid() -> str:
    """The hidepid option of /proc, '' where it hides nothing; of several mounts the last counts."""
    hidden = ""
    for line in (read_text("/proc/self/mounts") or "").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[1] == "/proc" and fields[2] == "proc":
            options = dict(option.partition("=")[::2] for option in fields[3].split(","))
            value = options.get("hidepid", "0")
            hidden = "" if value in ("0", "off") else value
    return hidden


def clock() -> Iterator[Check]:
    """Whether the kernel counts its clock as synchronised."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # all zero: read only
    try:
        state = ctypes.CDLL(None).adjtimex(timex)
    except AttributeError:
        state = -1
    if state < 0:
        yield Check("clock", None, "whether it is synchronised cannot be read")
    elif state == _UNSYNCHRONISED:
        finding = "not synchronised: times in the ledger may not fit other machines' logs"
        yield Check("clock", None, finding, "run chrony or systemd-timesyncd")
    else:
        yield Check("clock", True, "synchronised")
