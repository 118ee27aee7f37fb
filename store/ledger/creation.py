"""Make a new ledger, all of it or nothing, however many processes try at once."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from store.ledger.migrations import migrate
from store.ledger.versions.steps import SCHEMA_VERSION
from store.private_files import private_directory

LOCK_S = 5.0
"""Far longer than a ledger takes to be made."""
_POLL_S = 0.02


def create_if_new(path: Path) -> None:
    """Put an empty ledger at `path` if nothing or an empty file is there.

    It is made beside `path` and renamed, so nobody ever sees half of one; only its owner may read
    it. Raises OSError or sqlite3.Error.
    """
    if not _is_new(path):
        return
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # what is left of a loop of links; putting a file there would break it
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    private_directory(target.parent)
    with _locked(target.parent):
        if _is_new(target):
            draft = target.with_name(f".{target.name}.new")
            _remove(draft)  # left by a process that was killed here
            try:
                os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                _fill(draft)
                _remove_logs(target)  # of one that was deleted: they would go into this one
                draft.replace(target)
            finally:
                _remove(draft)


def raise_version(connection: sqlite3.Connection) -> None:
    """Bring a ledger up to date. Who comes second waits, then finds it done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _fill(draft: Path) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded before the first table only
        raise_version(connection)
        connection.execute("PRAGMA journal_mode = WAL")


def _is_new(path: Path) -> bool:
    return not path.exists() or (path.is_file() and path.stat().st_size == 0)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, where the file system has locks: SQLite needs them as well.

    Whoever may read the directory may hold it, for ever. Raises OSError then.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    until = time.monotonic() + LOCK_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    message = "another program keeps the directory locked"
                    raise OSError(errno.EWOULDBLOCK, message, str(directory)) from None
                time.sleep(_POLL_S)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


def _remove(draft: Path) -> None:
    draft.unlink(missing_ok=True)
    _remove_logs(draft)


def _remove_logs(database: Path) -> None:
    for suffix in ("-journal", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
