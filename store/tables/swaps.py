"""Swaps of an engine: what was asked, what came of it, and the evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from store.ledger.connection import Ledger

RUNNING = "running"
_COLUMNS = "id, ts_ms, variant, strategy, outcome, reason, who, why, took_s, waited_s, evidence"
_LATEST = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[2:])


@dataclass(frozen=True, slots=True)
class SwapRow:
    """A swap, begun at `ts_ms`. `outcome` is `running`, `done` or `rolled back`; `took_s` seconds
    from the plan to the end, `waited_s` those in which new connections waited.

    `evidence` holds JSON values: `steps` (each `at_s`, `step`, `text`); `start`, that of the new
    engine, once it began (`model`, `command`, `beside`, `at_s`, `phases`, as in
    `store.tables.starts`); `evidence`, once it is verified: `old`, `new`, `quality`, `refused`.
    """

    id: str
    ts_ms: int
    variant: str
    strategy: str
    outcome: str
    reason: str = ""
    who: str = ""
    why: str = ""
    took_s: float | None = None
    waited_s: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


def record(ledger: Ledger, engine_id: int, swap: SwapRow) -> None:
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
                json.dumps(dict(swap.evidence)),
            ),
        )


def get(ledger: Ledger, swap_id: str) -> SwapRow | None:
    """The swap with this id."""
    rows = ledger.conn.execute(f"SELECT {_COLUMNS} FROM swaps WHERE id = ?", (swap_id,))
    return next(_rows(rows), None)


def recent(ledger: Ledger, engine_id: int, limit: int) -> list[SwapRow]:
    """The last `limit` swaps of an engine, newest first."""
    rows = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM swaps WHERE engine_id = ? ORDER BY ts_ms DESC, id LIMIT ?",
        (engine_id, limit),
    )
    return list(_rows(rows))


def _rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[SwapRow]:
    names = _COLUMNS.split(", ")
    for row in rows:
        told = dict(zip(names, row, strict=True))
        yield SwapRow(**told | {"evidence": json.loads(told["evidence"])})
