"""Swaps of an engine: what was asked, what came of it, and the evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from store.ledger.connection import Ledger
from store.reports.swap import SwapReport, details_from_json

LONGEST_MS = 3_600_000
"""Longer than any swap: start and drain have limits of minutes."""
_COLUMNS = "id, ts_ms, variant, strategy, outcome, reason, who, why, took_s, waited_s, evidence"
_LATEST = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[2:])


def record(ledger: Ledger, engine_id: int, swap: SwapReport) -> None:
    """Keep a swap, on the disk when this returns; one that is over stays as it is."""
    with ledger.transaction(durable=True):
        ledger.conn.execute(
            f"INSERT INTO swaps (engine_id, {_COLUMNS}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            f"ON CONFLICT (id) DO UPDATE SET {_LATEST} WHERE outcome = 'running'",
            (
                engine_id,
                swap.id,
                swap.ts_ms,
                swap.variant,
                swap.strategy,
                swap.outcome,
                swap.reason,
                swap.who,
                swap.why,
                swap.took_s,
                swap.waited_s,
                json.dumps(swap.details_to_json()),
            ),
        )


def get(ledger: Ledger, swap_id: str) -> SwapReport | None:
    """The swap with this id."""
    rows = ledger.conn.execute(f"SELECT {_COLUMNS} FROM swaps WHERE id = ?", (swap_id,))
    return next(_rows(rows), None)


def recent(ledger: Ledger, engine_id: int, limit: int) -> list[SwapReport]:
    """The last `limit` swaps of an engine, newest first."""
    rows = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM swaps WHERE engine_id = ? ORDER BY ts_ms DESC, id LIMIT ?",
        (engine_id, limit),
    )
    return list(_rows(rows))


def unfinished(ledger: Ledger, engine_id: int) -> list[SwapReport]:
    """Swaps of an engine that have no end yet, newest first."""
    rows = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM swaps WHERE engine_id = ? AND outcome = 'running' "
        "ORDER BY ts_ms DESC, id",
        (engine_id,),
    )
    return list(_rows(rows))


def times(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """When swaps of an engine ran within [from_ms, to_ms], in ms.

    One that runs has no end yet; after `LONGEST_MS` there is nobody left to tell of it.
    """
    rows = ledger.conn.execute(
        "SELECT ts_ms, CASE WHEN outcome = 'running' THEN min(:to, ts_ms + :longest) "
        "ELSE ts_ms + round(1000 * ifnull(took_s, 0)) END AS end_ms "
        "FROM swaps WHERE engine_id = :engine AND ts_ms < :to AND end_ms > :from ORDER BY ts_ms",
        {"engine": engine_id, "from": from_ms, "to": to_ms, "longest": LONGEST_MS},
    )
    return [(int(began), int(ended)) for began, ended in rows]


def _rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[SwapReport]:
    names = _COLUMNS.split(", ")
    for row in rows:
        fields = dict(zip(names, row, strict=True))
        details = details_from_json(json.loads(fields.pop("evidence")))
        yield SwapReport(**fields, **details)
