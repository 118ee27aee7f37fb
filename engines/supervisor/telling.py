"""A supervisor's lines in a ledger: the steps of a swap in the event log, and what came of it.

A ledger that cannot be written stops no swap.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.clock import now_ms
from store.errors import TrimtabError
from store.records import Event

if TYPE_CHECKING:
    from engines.launch import Launch
    from engines.supervisor.order import Order
    from store.ledger import Ledger


def tell_step(order: Order, launch: Launch, text: str) -> None:
    """Add a line to the engine's event log."""
    from store import events

    _write(
        order.db,
        launch,
        lambda ledger, engine: events.add(ledger, engine, Event(now_ms(), "swap", text)),
    )


def tell_result(order: Order, launch: Launch, result: Mapping[str, Any]) -> None:
    """Keep the swap and its evidence."""
    from store import swaps

    row = swaps.SwapRow(
        id=order.id,
        ts_ms=now_ms(),
        variant=order.variant.name,
        strategy=str(result["strategy"]),
        outcome=str(result["outcome"]),
        reason=str(result["reason"]),
        who=order.who,
        why=order.why,
        took_s=result.get("took_s"),
        waited_s=result.get("waited_s"),
        evidence={name: result[name] for name in ("steps", "evidence") if name in result},
    )
    _write(order.db, launch, lambda ledger, engine: swaps.record(ledger, engine, row))


def _write(db: Path | None, launch: Launch, write: Callable[[Ledger, int], None]) -> None:
    if db is None:
        return
    from store import engines
    from store.ledger import Ledger

    with contextlib.suppress(TrimtabError), Ledger.open(db) as ledger:
        row = engines.find_engine(ledger, launch.url)
        known = row.id if row else engines.upsert_engine(ledger, launch.url, launch.name)
        write(ledger, known)
