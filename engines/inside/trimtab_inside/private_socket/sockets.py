"""The private place of the sockets: one directory per user, one socket per process."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path

ROOT = Path("/tmp")  # noqa: S108 - the directory below it is 0700, its owner and type are checked


class Refused(Exception):
    """The directory or the socket is not safe to use; the message says why."""


def directory(uid: int, root: Path = ROOT) -> Path:
    """Where the sockets of a user's engines lie."""
    return root / f"trimtab-{uid}"


def prepare_directory(path: Path) -> None:
    """Make the directory if it is not there; refuse one that anybody else could have prepared."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise Refused(f"{path} is not a directory")
    if status.st_uid != os.geteuid():
        raise Refused(f"{path} belongs to uid {status.st_uid}, not to {os.geteuid()}")
    if status.st_mode & 0o077:
        raise Refused(f"{path} can be entered by others (mode {stat.S_IMODE(status.st_mode):o})")


def sweep(path: Path) -> None:
    """Remove the sockets that processes now dead have left behind.

    A dead PID alone is no proof where several PID namespaces share the directory: the socket must
    also refuse a connection.
    """
    for entry in path.glob("*.sock"):
        pid = entry.stem.partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and not answers(entry):
            entry.unlink(missing_ok=True)


def answers(path: Path) -> bool:
    """Whether a process listens on this socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def listen(path: Path, backlog: int = 64) -> socket.socket:
    """A listening, non-blocking socket that only its owner may connect to."""
    if path.exists():
        if answers(path):
            raise Refused(f"{path} is in use by another process")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def peer_uid(connection: socket.socket) -> int:
    """The uid of the process at the other end, from the kernel."""
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return int(uid)
