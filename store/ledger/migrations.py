"""The steps from an empty file to today's ledger. Imported only when a ledger is made or raised."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from store.ledger.schema import APPLICATION_ID, SCHEMA_VERSION, STARTS, SWAPS, TABLES
from store.ledger.views import VIEWS, VIEWS_OF_STARTS, VIEWS_OF_SWAPS

_migrations = Migrations("trimtab")


@_migrations()
def create(db: Database) -> None:
    """Make the tables and views of version 1."""
    for statement in (*TABLES, *VIEWS.values()):
        db.conn.execute(statement)


@_migrations()
def add_swaps(db: Database) -> None:
    """Make what version 2 has more: swaps and their evidence."""
    for statement in (*SWAPS, *VIEWS_OF_SWAPS.values()):
        db.conn.execute(statement)


@_migrations()
def add_starts(db: Database) -> None:
    """Make what version 3 has more: how long starts took."""
    for statement in (*STARTS, *VIEWS_OF_STARTS.values()):
        db.conn.execute(statement)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the ledger to `SCHEMA_VERSION`, all of it inside the caller's transaction."""
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    _migrations.apply(db)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
