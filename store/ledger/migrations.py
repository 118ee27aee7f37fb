"""From any earlier version to today's ledger, in one go."""

from __future__ import annotations

import sqlite3

from store.ledger.database import database
from store.ledger.schema import APPLICATION_ID
from store.ledger.triggers import TRIGGERS
from store.ledger.versions.steps import SCHEMA_VERSION, STEPS
from store.ledger.views import READINGS, VIEWS


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the ledger to `SCHEMA_VERSION`, all of it inside the caller's transaction.

    Views and triggers hold nothing: they stand aside while the tables change, and are then made
    anew from today's columns, so that every ledger ends with the same ones.
    """
    db = database(connection)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    views = {"readings": READINGS, **VIEWS}
    for name in views:
        db.execute(f"DROP VIEW IF EXISTS {name}")
    for name in TRIGGERS:
        db.execute(f"DROP TRIGGER IF EXISTS {name}")
    for step in STEPS[version:]:
        step(db)
    for name, query in views.items():
        db.create_view(name, query.strip())
    for name, body in TRIGGERS.items():
        db.execute(f"CREATE TRIGGER {name} {body}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
