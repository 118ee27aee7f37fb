"""A supervisor's lines in a ledger: an engine's life, how long it took to start, and its swaps.

A ledger that cannot be written stops nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.command.arguments import read_arguments
from engines.launch.launch import BEFORE
from store.clock import now_ms
from store.errors import TrimtabError
from store.records import VARIANT, Change, Event
from store.tables.starts import StartRow, command_key

if TYPE_CHECKING:
    from engines.launch.launch import Launch
    from engines.supervision.order import Order
    from store.ledger.connection import Ledger


def tell_event(db: Path | None, launch: Launch, kind: str, text: str) -> None:
    """Add a line to the engine's event log."""
    from store.tables import events

    _write(db, launch, lambda ledger, engine: events.add(ledger, engine, _event(kind, text)))


def tell_start(
    db: Path | None, launch: Launch, *, beside: bool, took_s: float, phases: Mapping[str, float]
) -> None:
    """Keep how long the engine took until it was healthy."""
    from store.tables import starts

    row = StartRow(now_ms(), *start_key(launch), beside, took_s, phases)
    _write(db, launch, lambda ledger, engine: starts.record(ledger, engine, row))


def start_key(launch: Launch) -> tuple[str, str]:
    """What a start is known by: the model that it reads, and its command in short."""
    return read_arguments(launch.arguments).model or launch.model, command_key(launch.arguments)


def tell_swap(order: Order, launch: Launch, result: Mapping[str, Any], text: str) -> None:
    """Bring the swap's row up to date, and add a line to the event log."""
    from store.tables import events, swaps

    row = swaps.SwapRow(
        id=order.id,
        ts_ms=order.asked_ms,
        variant=str(result["variant"]),
        strategy=str(result["strategy"]),
        outcome=str(result["outcome"]),
        reason=str(result["reason"]),
        who=order.who,
        why=order.why,
        took_s=result.get("took_s"),
        waited_s=result.get("waited_s"),
        evidence={name: result[name] for name in ("steps", "start", "evidence") if name in result},
    )

    def write(ledger: Ledger, engine: int) -> None:
        with ledger.transaction():
            swaps.record(ledger, engine, row)
            events.add(ledger, engine, _event("swap", text))

    _write(order.db, launch, write)


def tell_change(
    order: Order, before: Launch, after: Launch, took_s: float, undoes: str | None
) -> None:
    """Keep a finished swap as a change of the variant, in the run of the new engine."""
    if order.db is None:
        return
    from engines.discovery.find import probe
    from engines.recording.current_run import run_of
    from store.tables import changes

    change = Change(
        id=order.id,
        ts_ms=now_ms(),
        knob=VARIANT,
        from_value=before.variant,
        to_value=after.variant,
        outcome="applied",
        cause="set" if order.variant is not None else "undo",
        who=order.who,
        why=order.why,
        took_ms=took_s * 1000,
        undoes=undoes,
    )
    with contextlib.suppress(TrimtabError):
        engine = probe(after.url)
        _write(
            order.db,
            after,
            lambda ledger, _: changes.record(ledger, run_of(ledger, engine.run_info()), change),
        )


def tell_interrupted(order: Order, launch: Launch, outcome: str, reason: str) -> dict[str, Any]:
    """Close the row of a swap whose supervisor was killed; what can be told of it."""
    from store.tables import swaps

    result = interrupted(order) | {
        "outcome": outcome,
        "reason": reason,
        "took_s": round((now_ms() - order.asked_ms) / 1000, 1),
    }

    def read(ledger: Ledger, _: int) -> None:
        known = swaps.get(ledger, order.id)
        if known is not None:
            result.update(known.evidence, strategy=known.strategy)

    _write(order.db, launch, read)
    text = reason or "the swap had been done"
    result["steps"] = [
        *result["steps"],
        {"at_s": result["took_s"], "step": outcome, "text": text},
    ]
    tell_swap(order, launch, result, f"{outcome}: {text}")
    return result


def interrupted(order: Order) -> dict[str, Any]:
    """What is known of a swap whose supervisor was killed before the engine serves again."""
    return {
        "id": order.id,
        "variant": BEFORE if order.variant is None else order.variant.name,
        "strategy": order.strategy,
        "outcome": "running",
        "reason": "",
        "waited_s": None,
        "steps": [],
    }


def _event(kind: str, text: str) -> Event:
    return Event(now_ms(), kind, text)


def _write(db: Path | None, launch: Launch, write: Callable[[Ledger, int], object]) -> None:
    if db is None:
        return
    from store.ledger.connection import Ledger
    from store.tables import engines

    with contextlib.suppress(TrimtabError, sqlite3.Error), Ledger.open(db) as ledger:
        row = engines.find_engine(ledger, launch.url)
        known = row.id if row else engines.upsert_engine(ledger, launch.url, launch.name)
        write(ledger, known)
