"""What /proc tells of a running engine, so that it can be started again just so."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.control.inside_path import HOLD, LISTEN_FD
from engines.host import lifetime, procfs
from engines.supervisor.takeover.conditions import Conditions
from store.errors import NotAchieved
from store.foreign_text import printable

_DELETED = " (deleted)"
_LIMITS = ("NOFILE", "MEMLOCK", "NPROC", "STACK", "AS", "CORE", "RTPRIO")
OURS = (LISTEN_FD, HOLD)
"""Variables that only meant something to the process that had them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A running process as it was started. Undecodable bytes are kept as surrogates, as Python
    keeps them in `os.environ`. `output` is the file that it writes to, where that is one."""

    pid: int
    start_ticks: int
    command: tuple[str, ...] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    directory: str
    conditions: Conditions
    output: str | None = None


def read_origin(pid: int) -> Origin:
    """How the process was started; raises `NotAchieved` where that cannot be done again."""
    ticks = lifetime.start_ticks(pid)
    command = _entries(pid, "cmdline")
    environ = read_environ(pid)
    directory = _link(pid, "cwd")
    if ticks is None or not command or environ is None or directory is None:
        raise _not_again(pid, "its command line, environment or directory cannot be read")
    if directory.endswith(_DELETED) or not Path(directory).is_dir():
        raise _not_again(pid, f"its working directory {printable(directory)} is gone")
    if (_link(pid, "exe") or "").endswith(_DELETED):
        raise _not_again(pid, "its executable has been deleted or replaced since it started")
    return Origin(
        pid,
        ticks,
        (_executable(pid, command[0], directory, environ), *command[1:]),
        {name: value for name, value in environ.items() if name not in OURS},
        directory,
        _conditions(pid),
        _output(pid),
    )


def read_environ(pid: int) -> dict[str, str] | None:
    """The variables a process was started with, secrets and all; None where they are closed to us
    or were overwritten."""
    entries = _entries(pid, "environ")
    if entries is None:
        return None
    return dict(entry.partition("=")[::2] for entry in entries if "=" in entry)


def _not_again(pid: int, reason: str) -> NotAchieved:
    return NotAchieved(f"The command of PID {pid} cannot be run again", reason)


def _entries(pid: int, name: str) -> list[str] | None:
    """The strings of a /proc file that separates them by NUL, without loss."""
    try:
        data = Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return None
    if not data.strip(b"\0"):
        return None
    return [os.fsdecode(entry) for entry in data.removesuffix(b"\0").split(b"\0")]


def _link(pid: int, name: str) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/{name}").readlink())
    except OSError:
        return None


def _executable(pid: int, word: str, directory: str, environ: Mapping[str, str]) -> str:
    """The program as an absolute path. It stays a link: that of a virtual environment counts."""
    if "/" in word:
        program = shutil.which(str(Path(directory) / word))
    else:
        program = shutil.which(word, path=environ.get("PATH", os.defpath))
    if program is None:
        raise _not_again(pid, f"{printable(word)} is not there any more")
    return str(Path(directory) / program)


def _conditions(pid: int) -> Conditions:
    limits = {}
    for name in _LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limits[name] = resource.prlimit(pid, getattr(resource, f"RLIMIT_{name}"))
    try:
        cores = tuple(sorted(os.sched_getaffinity(pid)))
        nice = os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        raise _not_again(pid, "it has ended") from None
    umask = procfs.status_field(pid, "Umask:")
    return Conditions(limits, cores, nice, int(umask[0], 8) if umask else None)


def _output(pid: int) -> str | None:
    path = _link(pid, "fd/1")
    return path if path is not None and path.startswith("/") and Path(path).is_file() else None
