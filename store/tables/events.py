"""The event log of an engine: what happened, in a line each."""

from __future__ import annotations

from store.ledger.connection import Ledger
from store.records import Event


def add(ledger: Ledger, engine_id: int, event: Event) -> None:
    """Append a line."""
    with ledger.transaction():
        ledger.conn.execute(
            "INSERT INTO events (engine_id, ts_ms, kind, text) VALUES (?, ?, ?, ?)",
            (engine_id, event.ts_ms, event.kind, event.text),
        )


def recent(ledger: Ledger, engine_id: int, limit: int) -> list[Event]:
    """The last `limit` lines, newest first."""
    rows = ledger.conn.execute(
        "SELECT ts_ms, kind, text FROM events WHERE engine_id = ? "
        "ORDER BY ts_ms DESC, id DESC LIMIT ?",
        (engine_id, limit),
    )
    return [Event(*row) for row in rows]
