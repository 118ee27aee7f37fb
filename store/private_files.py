"""Directories and files that only their owner may read, whatever the umask is.

What lies where another user can write may be a link that they have put there: it is not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


def private_directory(path: Path) -> Path:
    """The directory itself, made with those above it that are missing; raises OSError.

    One that is there already is left as it is: whoever made it knows who may enter.
    """
    for directory in reversed([path, *path.parents]):
        try:
            directory.mkdir(mode=DIRECTORY_MODE)
        except FileExistsError:
            continue
        except OSError:
            if not directory.exists():
                raise
    return path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file of our own, made if it is missing, readable for us alone.

    The directory is made, too. Raises OSError: ELOOP for a link, EPERM for what is no file of ours.
    """
    private_directory(path.parent)
    # Not to wait for a reader, should somebody have put a pipe there.
    without_waiting = flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, without_waiting & ~os.O_TRUNC, FILE_MODE)
    try:
        status = _status_of_own(descriptor, path)
        if status.st_mode & ~FILE_MODE & 0o777:
            os.fchmod(descriptor, FILE_MODE)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_own(path: Path, longest: int) -> bytes:
    """A small file of our own, whole.

    Raises OSError: ELOOP for a link, EPERM for what is no file of ours, EFBIG above `longest`.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        _status_of_own(descriptor, path)
        content = file.read(longest + 1)
    if len(content) > longest:
        raise OSError(errno.EFBIG, "it is larger than any of ours", str(path))
    return content


def _status_of_own(descriptor: int, path: Path) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise OSError(errno.EPERM, "it is not a file of ours", str(path))
    return status


def open_log(path: Path, *, afresh: bool = False) -> IO[bytes]:
    """A log to be added to, or begun `afresh`; raises OSError as `open_private` does."""
    flags = os.O_WRONLY | (os.O_TRUNC if afresh else os.O_APPEND)
    log = os.fdopen(open_private(path, flags), "wb")
    log.seek(0, os.SEEK_END)
    return log
