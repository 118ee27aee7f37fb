"""Whether a file is a ledger, told from its first 100 bytes, before SQLite may touch it.

The header is read with `open`, and closing a file drops every POSIX lock this process has on it
(https://sqlite.org/howtocorrupt.html, 2.2). So a file is read here only while this process has no
SQLite connection to it: once for each file, remembered by device and inode.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
from pathlib import Path

from store.errors import LedgerUnusable
from store.ledger.schema import APPLICATION_ID
from store.ledger.versions.steps import SCHEMA_VERSION

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100

_lock = threading.Lock()
_recognised: set[tuple[int, int]] = set()


class NotALedger(LedgerUnusable):
    """The file is something else, or only a part of a ledger."""


class NewerLedger(LedgerUnusable):
    """The ledger was written by a newer trimtab."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"{path} is newer than this program",
            f"It has ledger version {version}; this trimtab knows up to {SCHEMA_VERSION}",
            "Upgrade trimtab, or name another file with --db",
        )


_REMEDY = "Name another file with --db"


def recognise(path: Path) -> None:
    """Return if `path` is a ledger of ours; nothing is changed.

    Raises `NotALedger`, `NewerLedger` or `LedgerUnusable`.
    """
    with _lock:
        try:
            status = path.stat()
            _check_kind(path, status)
            identity = (status.st_dev, status.st_ino)
            if identity not in _recognised:
                _check_header(path, status.st_size)
                _recognised.add(identity)
        except FileNotFoundError:
            raise LedgerUnusable(
                f"There is no ledger at {path}",
                "Nothing has been recorded there",
                "Start trimtab or trimtab record first, or name another file with --db",
            ) from None
        except OSError as error:
            raise LedgerUnusable(
                f"{path} cannot be opened", error.strerror or str(error), _REMEDY
            ) from error


def _check_kind(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise NotALedger(f"{path} is a directory", "A ledger is one file", _REMEDY)
    if not stat.S_ISREG(status.st_mode):
        raise NotALedger(f"{path} is not a regular file", "A ledger is one file", _REMEDY)


def _check_header(path: Path, size: int) -> None:
    with path.open("rb", buffering=0) as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        raise NotALedger(
            f"{path} is empty", "Nothing has been recorded there", "Run trimtab record first"
        )
    if not header.startswith(_MAGIC[: len(header)]):
        raise NotALedger(f"{path} is not a ledger", "It is not an SQLite database", _REMEDY)
    if len(header) < _HEADER_BYTES:
        raise _truncated(path)
    version, application = struct.unpack_from(">I4xI", header, 60)
    if application != APPLICATION_ID:
        raise foreign(path)
    if version > SCHEMA_VERSION:
        raise NewerLedger(path, version)
    _check_length(path, header, size)


def _check_length(path: Path, header: bytes, size: int) -> None:
    """Raise if pages are missing that no write-ahead log or journal can bring back."""
    page = struct.unpack_from(">H", header, 16)[0]
    pages = struct.unpack_from(">I", header, 28)[0]
    size_is_valid = header[24:28] == header[92:96]
    logs = (Path(f"{path}{suffix}") for suffix in ("-wal", "-journal"))
    pending = any(log.exists() and log.stat().st_size > 0 for log in logs)
    if size_is_valid and not pending and pages * (65536 if page == 1 else page) > size:
        raise _truncated(path)


def foreign(path: Path) -> NotALedger:
    """The error for an SQLite database that is no ledger."""
    return NotALedger(
        f"{path} is not a ledger", "It is an SQLite database of another program", _REMEDY
    )


def _truncated(path: Path) -> NotALedger:
    return NotALedger(
        f"{path} is truncated", "Its end is missing, so what it holds cannot be trusted", _REMEDY
    )
