"""The lock on an engine's name, held for as long as its keeper or a supervisor of it lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from engines.provision.places import data_dir
from engines.provision.state import exclusive
from engines.serving.names import check_name
from store.errors import NotAchieved

LINGERS_S = 4.0
"""Longer than a supervisor lingers that has just stopped its engine."""


@contextlib.contextmanager
def name_lock(name: str) -> Iterator[int]:
    """A descriptor that holds the name until its last copy is closed, in whatever process: of
    several that start at once one gets it.

    Raises `NotAchieved` where another has it for longer than `LINGERS_S`, and OSError.
    """

    refused = NotAchieved(
        f"{name} is supervised already", "", f"trimtab stop {name}, or choose another --name"
    )
    with _lock(_path(name), refused) as descriptor:
        yield descriptor


@contextlib.contextmanager
def adoption_lock(pid: int, start_ticks: int) -> Iterator[int]:
    """The same for a process that is being adopted: under two names it would be started twice.

    Raises as `name_lock` does.
    """
    path = data_dir() / "locks" / f"@{pid}-{start_ticks}.lock"  # no engine's name has an @
    refused = NotAchieved(
        f"Process {pid} is being adopted already",
        "Another `trimtab adopt` is at it",
        "trimtab engines tells what becomes of it",
    )
    with _lock(path, refused) as descriptor:
        yield descriptor


@contextlib.contextmanager
def _lock(path: Path, refused: NotAchieved) -> Iterator[int]:
    def give_up(waited_s: float) -> None:
        if waited_s >= LINGERS_S:
            raise refused

    with exclusive(path, give_up) as descriptor:
        yield descriptor


def is_held(name: str) -> bool:
    """Whether a keeper or a supervisor of this name lives, also one that does not answer."""
    try:
        descriptor = os.open(_path(name), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _path(name: str) -> Path:
    return data_dir() / "locks" / f"{check_name(name)}.lock"
