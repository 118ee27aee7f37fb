"""Who records an engine: one lease per engine, kept alive by a heartbeat."""

from __future__ import annotations

from store.ledger.connection import Ledger

STALE_MS = 5_000
"""A heartbeat older than this is of a recorder that is gone; one as far ahead, of another clock."""

BEAT_MS = 1_000
"""A heartbeat is written anew once it is as old as this."""

_ALIVE = "beat_ms BETWEEN :now - :stale AND :now + :stale"


def acquire(ledger: Ledger, engine_id: int, owner: str, now_ms: int) -> bool:
    """Become the engine's recorder; False while another one is alive.

    `owner` is a name from `store.recorder_name`.
    """
    with ledger.transaction():
        cursor = ledger.conn.execute(
            "INSERT INTO recorders (engine_id, owner, beat_ms) VALUES (:engine, :owner, :now) "
            "ON CONFLICT (engine_id) DO UPDATE SET owner = excluded.owner, "
            f"beat_ms = excluded.beat_ms WHERE owner = :owner OR NOT ({_ALIVE})",
            {"engine": engine_id, "owner": owner, "now": now_ms, "stale": STALE_MS},
        )
    return cursor.rowcount == 1


def beat(ledger: Ledger, engine_id: int, owner: str, now_ms: int) -> bool:
    """Say that `owner` still records, which writes once in `BEAT_MS`; False if another one has
    taken over."""
    with ledger.transaction():
        row = ledger.conn.execute(
            "SELECT beat_ms FROM recorders WHERE engine_id = ? AND owner = ?", (engine_id, owner)
        ).fetchone()
        if row is not None and not 0 <= now_ms - row[0] < BEAT_MS:
            ledger.conn.execute(
                "UPDATE recorders SET beat_ms = ? WHERE engine_id = ?", (now_ms, engine_id)
            )
    return row is not None


def release(ledger: Ledger, engine_id: int, owner: str) -> None:
    """Stop being the recorder, so that another need not wait; nothing if it is not `owner`'s."""
    with ledger.transaction():
        ledger.conn.execute(
            "DELETE FROM recorders WHERE engine_id = ? AND owner = ?", (engine_id, owner)
        )


def live(ledger: Ledger, engine_id: int, now_ms: int) -> str | None:
    """The owner who records the engine now, or None."""
    row = ledger.conn.execute(
        f"SELECT owner FROM recorders WHERE engine_id = :engine AND {_ALIVE}",
        {"engine": engine_id, "now": now_ms, "stale": STALE_MS},
    ).fetchone()
    return str(row[0]) if row else None
