"""Open, check and close a ledger. One `Ledger` is one connection and belongs to one thread."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from store.errors import LedgerUnusable
from store.ledger.creation import create_if_new, raise_version
from store.ledger.identity import NewerLedger, foreign, recognise
from store.ledger.schema import APPLICATION_ID
from store.ledger.shared_memory import SharedMemory
from store.ledger.troubles import LedgerMoved, LedgerRefused, unusable
from store.ledger.versions.steps import SCHEMA_VERSION

BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for another process's write to end."""

WAL_LIMIT_BYTES = 8 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint."""


class _Connection(sqlite3.Connection):
    """A connection whose troubles are the ledger's from when `path` is set, wherever they show."""

    path: Path | None = None
    shared_memory: SharedMemory | None = None

    def _keep_shared_memory(self) -> None:
        if self.shared_memory is None or self.in_transaction:
            return
        try:
            self.shared_memory.keep()
        except OSError as error:
            raise LedgerRefused(
                f"The ledger {self.path} cannot be used now",
                f"Somebody has cut off its -shm file, and it cannot be mended: {error.strerror}",
                "Close what uses it, then open it again",
            ) from error

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:
        self._keep_shared_memory()
        return self.cursor(_Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> _Cursor:
        self._keep_shared_memory()
        return self.cursor(_Cursor).executemany(sql, parameters)


class _Cursor(sqlite3.Cursor):
    """A read may fail at its first row or at any later one."""

    connection: _Connection

    def execute(self, sql: str, parameters: Any = ()) -> Self:
        try:
            return super().execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            self._tell(error)
            raise

    def executemany(self, sql: str, parameters: Iterable[Any]) -> Self:
        try:
            return super().executemany(sql, parameters)
        except sqlite3.DatabaseError as error:
            self._tell(error)
            raise

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.DatabaseError as error:
            self._tell(error)
            raise

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.DatabaseError as error:
            self._tell(error)
            raise

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.DatabaseError as error:
            self._tell(error)
            raise

    def _tell(self, error: sqlite3.DatabaseError) -> None:
        """Raise SQLite's own troubles as the ledger's; mistakes in our SQL stay what they are."""
        path = self.connection.path
        is_ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        if path is not None and not is_ours:
            raise unusable(error, path) from error


class Ledger:
    """An open ledger. `conn` is in autocommit; write inside `transaction()`. Where SQLite cannot
    read or write, whatever asked it raises `LedgerUnusable`.

    Ids hold in one file alone: `number` tells the files apart that a writer has found at its path.
    """

    def __init__(self, connection: _Connection, path: Path) -> None:
        self.conn = connection
        self.path = connection.path = path
        self._shared_memory = connection.shared_memory = SharedMemory(path)
        self._cuts_told = 0
        self.number = 0
        self._durable = self.is_closed = False
        status = path.stat()
        self._file = (status.st_dev, status.st_ino)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Ledger:
        """Open the ledger at `path`; where it may be written, make it and bring it up to date.

        Raises `LedgerUnusable` if it is not a ledger, is newer than this program, or cannot be
        read or written; such a file is left as it was.
        """
        try:
            if not readonly:
                create_if_new(path)
            recognise(path)
            return cls(_connect_readonly(path) if readonly else _connect(path), path)
        except sqlite3.Error as error:
            raise unusable(error, path) from error
        except OSError as error:
            raise LedgerUnusable(
                f"The ledger {path} cannot be used",
                error.strerror or str(error),
                "Name another file with --db",
            ) from error

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """All or nothing, for one writer at a time; joins a transaction already begun.

        A durable transaction is on the disk when the outermost block ends (an ordinary one may be
        lost to a power cut, never to a killed process). Raises `LedgerBusy` where another program
        keeps the lock.
        """
        if self.conn.in_transaction:
            self._durable = self._durable or durable
            yield
            return
        self._durable = durable
        self.conn.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.conn.execute("COMMIT")
        except BaseException:
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK")
            raise
        if self._durable:
            self._sync()

    def _sync(self) -> None:
        """Raises `LedgerUnusable`: what was committed stands, and a power cut may take it."""
        try:
            _sync(Path(f"{self.path}-wal"))
        except OSError as error:
            raise LedgerUnusable(
                f"The ledger {self.path} is written, perhaps not on the disk",
                error.strerror or str(error),
                "Look at the disk (dmesg)",
            ) from error

    @contextmanager
    def consistent(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever is written meanwhile."""
        if self.conn.in_transaction:
            yield
            return
        self.conn.execute("BEGIN")
        try:
            yield
        finally:
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK")

    def check_in_place(self) -> None:
        """Raise `LedgerMoved` if the path no longer leads to the open file.

        SQLite would go on writing into a file that nobody can find any more.
        """
        try:
            status = self.path.stat()
        except OSError:
            status = None
        if self.is_closed or status is None or (status.st_dev, status.st_ino) != self._file:
            raise LedgerMoved(
                f"The ledger {self.path} was moved or deleted",
                "What is written now would be lost",
                "Put it back; else a new one is begun there",
            )

    def settle(self) -> bool:
        """Put all that the log holds into the file, and empty it: whoever moved the file left the
        log behind, and it would go into the one that is there now. False while somebody still reads
        in it."""
        with suppress(LedgerUnusable, sqlite3.ProgrammingError):  # it may be closed already
            (busy, *_), *_ = self.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return not busy
        return True

    def was_cut(self) -> bool:
        """Whether somebody has cut off the -shm file since this was last asked; it was mended."""
        cuts = self._shared_memory.cuts
        was_cut, self._cuts_told = cuts > self._cuts_told, cuts
        return was_cut

    def follow(self, before: Ledger) -> None:
        """Take the place of a ledger opened at this path before. Once that is closed its inode may
        be another file's, so that the number is another one whatever is there."""
        self.number = before.number + (before.is_closed or not self.is_file_of(before))

    def is_file_of(self, other: Ledger) -> bool:
        """Whether both are the same file, if the inode is not another's by now."""
        return self._file == other._file

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self.is_closed = True
        self.conn.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _sync(log: Path) -> None:
    """Put the write-ahead log on the disk: what `synchronous=FULL` does at each commit.

    SQLite does not let that setting change inside a transaction, and who asks for durability is
    often inside one already. SQLite takes no lock on this file, so closing it drops none.
    """
    try:
        descriptor = os.open(log, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # a checkpoint has moved it into the database, and synced that
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _check_log(path: Path) -> None:
    """Refuse a log beside the ledger that another user has put there: SQLite would use it, and they
    could read and write it. Root's and the ledger's own owner's are none of those."""
    with suppress(FileNotFoundError):
        trusted = {0, os.geteuid(), path.stat().st_uid}
        for log in (Path(f"{path}-wal"), Path(f"{path}-shm")):
            with suppress(FileNotFoundError):
                if log.lstat().st_uid not in trusted:
                    raise LedgerUnusable(
                        f"{log} belongs to another user",
                        "They could read and change what is written there",
                        f"Remove it, if no program uses the ledger: rm {log}",
                    )


def _connect(path: Path) -> _Connection:
    _check_log(path)
    # 64 statements: those of one tick, so that none is compiled twice.
    connection = sqlite3.connect(
        path, timeout=0, isolation_level=None, cached_statements=64, factory=_Connection
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if _version(connection, path) < SCHEMA_VERSION:
            raise_version(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        connection.execute("PRAGMA cache_size = -2000")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_readonly(path: Path) -> _Connection:
    try:
        return _opened_readonly(path, "mode=ro")
    except sqlite3.OperationalError:
        # In a directory that may not be written SQLite cannot make the file that programs share.
        # Where there is none nobody is writing either, so the file may be read as it stands.
        if Path(f"{path}-shm").exists() or os.access(path.parent, os.W_OK):
            raise
        return _opened_readonly(path, "mode=ro&immutable=1")


def _opened_readonly(path: Path, options: str) -> _Connection:
    address = f"file:{quote(str(path.absolute()))}?{options}"
    connection = sqlite3.connect(
        address,
        uri=True,
        timeout=0,
        isolation_level=None,
        cached_statements=64,
        factory=_Connection,
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA cache_size = -2000")
        if _version(connection, path) < SCHEMA_VERSION:
            raise LedgerUnusable(
                f"{path} is of an older version",
                "Who only reads it may not bring it up to date",
                "Start trimtab record on it once, then read it",
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The ledger's version, the write-ahead log included."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise foreign(path)  # another file has taken the place of one that was recognised before
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise NewerLedger(path, version)
    return version
