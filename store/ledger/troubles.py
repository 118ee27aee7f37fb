"""SQLite's troubles with a ledger, as errors that say what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from store.errors import LedgerUnusable
from store.ledger.identity import NotALedger

_MEANINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: (
        "The disk is full",
        "Make room on it; recording goes on by itself",
    ),
    sqlite3.SQLITE_READONLY: (
        "It or its directory may not be written",
        "Give yourself write permission, or name another file with --db",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "It or its directory cannot be opened",
        "Check the permissions of both, or name another file with --db",
    ),
    sqlite3.SQLITE_BUSY: (
        "Another program has kept it locked",
        "Find who holds it with: fuser FILE",
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk or file system refused to read or write",
        "Look for a full or failing disk (df, dmesg)",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "It is damaged",
        "Move it away and start a new one; sqlite3 FILE .recover may save what it holds",
    ),
    sqlite3.SQLITE_NOTADB: (
        "It is not an SQLite database",
        "Name another file with --db",
    ),
}


class LedgerBusy(LedgerUnusable):
    """Another program kept the ledger locked; the same may succeed a moment later."""


class LedgerFull(LedgerUnusable):
    """The disk has no room; the same succeeds once somebody has made some."""


class LedgerMoved(LedgerUnusable):
    """Its path no longer leads to the open file."""


class LedgerDamaged(LedgerUnusable):
    """What it holds is no longer whole, and does not become so again."""


class LedgerRefused(LedgerUnusable):
    """The disk or the file system refuses it; they may come to themselves."""


_FAMILY: dict[int, type[LedgerUnusable]] = {
    sqlite3.SQLITE_CORRUPT: LedgerDamaged,
    sqlite3.SQLITE_READONLY: LedgerRefused,
    sqlite3.SQLITE_CANTOPEN: LedgerRefused,
    sqlite3.SQLITE_IOERR: LedgerRefused,
    sqlite3.SQLITE_NOTADB: NotALedger,
    sqlite3.SQLITE_FULL: LedgerFull,
    sqlite3.SQLITE_BUSY: LedgerBusy,
    sqlite3.SQLITE_LOCKED: LedgerBusy,
}


def unusable(error: sqlite3.Error, path: Path) -> LedgerUnusable:
    """The ledger's error for an SQLite error: what, meaning and remedy."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else -1
    meaning, remedy = _MEANINGS.get(primary, (f"SQLite says: {error}", "Run: trimtab doctor"))
    return _FAMILY.get(primary, LedgerUnusable)(
        f"The ledger {path} cannot be used", meaning, remedy
    )
