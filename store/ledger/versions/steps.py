"""The steps from an empty file to today's ledger, one a version. `PRAGMA user_version` counts them.

A step makes or changes tables and indexes and is never edited once it is released: it spells out
the names of its columns, and knows nothing of today's lists. The views and the triggers follow
those lists by themselves: they are made anew after the last step (`store.ledger.migrations`).

To add a version, say with a counter `aborted_tokens`:

1. Keep a ledger of the version before under `tests/store/kept_ledgers`, whose README tells how:
   afterwards no program writes one any more.
2. Write its step below and put it last in `STEPS`; SQL of many lines goes into a file beside it.

       def _count_aborted_tokens(db: Database) -> None:
           for table in ("reading_bases", "reading_rows"):
               db.table(table).add_column("aborted_tokens", int)

   A gauge's maximum goes into `reading_rows` and `peaks`; its unknown time begins with 0.
3. Name the column where the code lists its columns (`store.reading_columns`).

A changed view is a version, too, with a step that does nothing; the step of a view or trigger that
is no more drops it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # sqlite-utils takes 0.1 s to import; who opens a ledger reads only the version
    from sqlite_utils import Database

Step = Callable[["Database"], None]


def _create(db: Database) -> None:
    _run_file(db, "v1.sql")


def _add_swaps(db: Database) -> None:
    _run_file(db, "v2.sql")


def _add_starts(db: Database) -> None:
    _run_file(db, "v3.sql")


def _drop_record_of_steps(db: Database) -> None:
    """Leave `user_version` as the one record: sqlite-utils kept another one up to version 3."""
    db.table("_sqlite_migrations").drop(ignore=True)


def _add_acts(db: Database) -> None:
    """Which changes were asked for by one command; '' for those of before, each alone."""
    db.table("changes").add_column("act", str, not_null_default="")


def _add_doubts(db: Database) -> None:
    """What of a page is not believed, and for how long a gauge was not known."""
    for table in ("reading_bases", "reading_rows"):
        for gauge in ("running", "waiting", "kv_usage"):
            db.execute(f"ALTER TABLE {table} ADD COLUMN {gauge}_unknown_ms INTEGER DEFAULT 0")
    _run_file(db, "v6.sql")


def _add_cards_and_notes(db: Database) -> None:
    """What every card of a host does, and for how long a held one did not tell; how it is known
    that a run holds a device, and how it is shared."""
    for column in ("busy_unknown_ms", "memory_unknown_ms", "energy_unknown_ms"):
        db.table("device_readings").add_column(column, int)
    _run_file(db, "v7.sql")
    _run_file(db, "device_notes.sql")


STEPS: tuple[Step, ...] = (
    _create,
    _add_swaps,
    _add_starts,
    _drop_record_of_steps,
    _add_acts,
    _add_doubts,
    _add_cards_and_notes,
)
"""What brings a ledger from each version to the next; the first one makes version 1."""

SCHEMA_VERSION = len(STEPS)
"""SQLite's user_version of a ledger this program writes."""


def _run_file(db: Database, name: str) -> None:
    """Execute the statements of an SQL file of this folder, inside the caller's transaction.

    Each ends with its line. (`Database.executescript` looks for an end after every character: 50 ms
    for version 1.)
    """
    statement = ""
    for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines(True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
