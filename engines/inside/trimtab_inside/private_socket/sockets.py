"""The private place of the sockets: one directory per user, one socket per process."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import stat
import struct
import time
from pathlib import Path

ROOT = Path("/tmp")  # noqa: S108 - the directory below it is 0700, its owner and type are checked
RUN = Path("/run")
_NEW_S = 60.0


class Refused(Exception):
    """The directory or the socket is not safe to use; the message says why."""


def directories(uid: int) -> tuple[Path, ...]:
    """Where the sockets of a user's engines can lie, in the order in which they are tried.

    Anybody can take the name in /tmp. Nobody else can below /run, but that is not there for every
    user, and goes with their last session where it is: so it is the second choice.
    """
    runtime_home = RUN if uid == 0 else RUN / "user" / str(uid)
    return (ROOT / f"trimtab-{uid}", runtime_home / "trimtab")


def place_of(name: str, uid: int) -> Path:
    """Where the socket `name` of a user's is, or would first be put."""
    usual, *other_paths = (home / name for home in directories(uid))
    existing = (
        path for path in (usual, *other_paths) if not fault(path.parent, uid) and is_there(path)
    )
    return next(existing, usual)


def is_there(path: Path) -> bool:
    """Whether a file can be seen; in another user's directory none can."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def own_directory() -> Path:
    """The first of our directories that can be used, made if it is not there; raises Refused."""
    faults = []
    for path in directories(os.geteuid()):
        try:
            prepare_directory(path)
        except Refused as refusal:
            faults.append(str(refusal))
        except OSError as error:
            faults.append(f"{path} cannot be made: {error.strerror}")
        else:
            return path
    raise Refused("; ".join(faults))


def prepare_directory(path: Path) -> None:
    """Make the directory if it is not there; refuse one that anybody else could have prepared."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    reason = fault(path, os.geteuid())
    if reason:
        raise Refused(reason)


def place_again(path: Path) -> Path:
    """Where a socket that was removed is put again: where it was, or in the next of our directories
    where somebody else has taken that place meanwhile. Raises Refused."""
    try:
        prepare_directory(path.parent)
    except (Refused, OSError):
        return own_directory() / path.name
    return path


def file_of(path: Path) -> tuple[int, int]:
    """Which file is there: its device and inode. Raises OSError."""
    status = path.lstat()
    return status.st_dev, status.st_ino


def fault(path: Path, uid: int) -> str:
    """Why a directory is not this user's alone, '' if it is."""
    try:
        status = path.lstat()
    except OSError as error:
        return f"{path} cannot be seen: {error.strerror}"
    if not stat.S_ISDIR(status.st_mode):
        return f"{path} is not a directory"
    if status.st_uid != uid:
        return f"{path} belongs to {_user_name(status.st_uid)}"
    if status.st_mode & 0o077:
        return f"{path} can be entered by others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _user_name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def sweep(path: Path) -> None:
    """Remove the sockets that processes now dead have left behind.

    A dead PID alone is no proof where several PID namespaces share the directory: the socket must
    also refuse a connection. One that is named after no PID, a supervisor's, must have been there
    for a while: it is made a moment before it listens.
    """
    for entry in path.glob("*.sock"):
        pid = entry.stem.partition("-")[0]
        left = not Path("/proc", pid).exists() if pid.isdigit() else _is_old(entry)
        if left and not answers(entry):
            entry.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    try:
        return path.lstat().st_mtime < time.time() - _NEW_S
    except OSError:
        return False


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
