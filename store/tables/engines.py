"""The engines a ledger knows: base URL, name, and whether they could last be read."""

from __future__ import annotations

from typing import Literal

from store.ledger.connection import Ledger
from store.records import EngineRow

EngineState = Literal["ok", "unreadable", "gone"]

_COLUMNS = "id, url, name, state, state_reason, state_ms"


def upsert_engine(ledger: Ledger, url: str, name: str) -> int:
    """The id of the engine at `url`, made if it is new, under this name from now on."""
    with ledger.transaction():
        row = ledger.conn.execute(
            "INSERT INTO engines (url, name) VALUES (?, ?) "
            "ON CONFLICT (url) DO UPDATE SET name = excluded.name RETURNING id",
            (url.rstrip("/"), name),
        ).fetchone()
    return int(row[0])


def list_engines(ledger: Ledger) -> list[EngineRow]:
    """All engines, in the order they were first seen."""
    rows = ledger.conn.execute(f"SELECT {_COLUMNS} FROM engines ORDER BY id")
    return [EngineRow(*row) for row in rows]


def find_engine(ledger: Ledger, name_or_url: str) -> EngineRow | None:
    """The engine with this URL, else the newest of this name that is not gone, else the newest."""
    row = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM engines WHERE url = ? OR name = ? "
        "ORDER BY url = ? DESC, state = 'gone', id DESC",
        (name_or_url.rstrip("/"), name_or_url, name_or_url.rstrip("/")),
    ).fetchone()
    return EngineRow(*row) if row else None


def set_status(ledger: Ledger, engine_id: int, state: EngineState, reason: str, ts_ms: int) -> None:
    """Say whether the engine can be read since `ts_ms`; writes only where that differs."""
    with ledger.transaction():
        ledger.conn.execute(
            "UPDATE engines SET state = ?, state_reason = ?, state_ms = ? "
            "WHERE id = ? AND (state_ms IS NULL OR state <> ? OR state_reason <> ?)",
            (state, reason, ts_ms, engine_id, state, reason),
        )
