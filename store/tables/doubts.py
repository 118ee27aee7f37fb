"""What of an engine's pages is not believed, or not known, from when to when, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from store.ledger.connection import Ledger

DEVICES = "devices"
"""What is in doubt where it is not known which devices an engine holds."""


def keep(ledger: Ledger, run_id: int, reasons: Mapping[str, str], ts_ms: int) -> dict[str, str]:
    """From `ts_ms` on these hold of the run and no others: what → the reason. Returns those that
    held until then."""
    with ledger.transaction():
        held = _open(ledger, run_id)
        for what in held:
            if reasons.get(what) != held[what]:
                ledger.conn.execute(
                    "UPDATE doubts SET to_ms = max(from_ms, ?) "
                    "WHERE run_id = ? AND what = ? AND to_ms IS NULL",
                    (ts_ms, run_id, what),
                )
        ledger.conn.executemany(
            "INSERT OR REPLACE INTO doubts (run_id, what, from_ms, reason) VALUES (?, ?, ?, ?)",
            [
                (run_id, what, ts_ms, reason)
                for what, reason in reasons.items()
                if held.get(what) != reason
            ],
        )
    return held


def between(ledger: Ledger, run_ids: Sequence[int], from_ms: int, to_ms: int) -> dict[str, str]:
    """What was in doubt at some time in [from_ms, to_ms] in these runs → the newest reason."""
    places = ", ".join("?" * len(run_ids))
    rows = ledger.conn.execute(
        f"SELECT what, reason FROM doubts WHERE run_id IN ({places}) "
        "AND from_ms <= ? AND ifnull(to_ms, ?) >= ? ORDER BY from_ms",
        (*run_ids, to_ms, to_ms, from_ms),
    )
    return dict(rows.fetchall())


def stretch(ledger: Ledger, run_id: int, what: str, from_ms: int, to_ms: int) -> tuple[int, str]:
    """For how many milliseconds of [from_ms, to_ms] something of the run was in doubt, and the
    newest reason."""
    rows = ledger.conn.execute(
        "SELECT from_ms, ifnull(to_ms, :to), reason FROM doubts WHERE run_id = :run "
        "AND what = :what AND from_ms < :to AND ifnull(to_ms, :to) > :from ORDER BY from_ms",
        {"run": run_id, "what": what, "from": from_ms, "to": to_ms},
    ).fetchall()
    spans = [min(end, to_ms) - max(start, from_ms) for start, end, _ in rows]
    return sum(spans), rows[-1][2] if rows else ""


def _open(ledger: Ledger, run_id: int) -> dict[str, str]:
    rows = ledger.conn.execute(
        "SELECT what, reason FROM doubts WHERE run_id = ? AND to_ms IS NULL", (run_id,)
    )
    return dict(rows.fetchall())
