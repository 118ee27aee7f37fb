"""What a program says of a ledger, as JSON values: windows, metrics, steps and exported rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from store.ledger.connection import Ledger
from store.ledger.export import TABLES, columns, rows
from store.metrics.measure import bound_json, metrics, to_json
from store.metrics.prices import PriceBook
from store.tables.engines import list_engines
from store.windows.series import read_steps
from store.windows.window import Window, read_window

PRICES = PriceBook(prices={"Test GPU": 2.49}, host_usd_per_hour=0.12)
STEP_MS = 5_000


def figures(ledger: Ledger) -> dict[str, Any]:
    """Of each engine the windows over all of it and parts of it, and its steps; every export."""
    told: dict[str, Any] = json.loads(
        json.dumps(
            {
                "engines": {row.url: _engine(ledger, row.id) for row in list_engines(ledger)},
                "exported": {table: _exported(ledger, table) for table in TABLES},
            }
        )
    )
    return told


def _engine(ledger: Ledger, engine_id: int) -> dict[str, Any]:
    spans = ledger.conn.execute(
        "SELECT min(ts_ms), max(ts_ms) FROM reading_rows JOIN runs ON runs.id = run_id "
        "WHERE engine_id = ? GROUP BY run_id ORDER BY run_id",
        (engine_id,),
    ).fetchall()
    first, last = spans[0][0], spans[-1][1]
    parts = [
        (first, last),
        *spans,
        (first + 3_300, last - 1_700),
        (last - 10_000, last),
        (first, first + 60_000),
    ]
    steps = read_steps(ledger, engine_id, first, last, STEP_MS)
    return {
        "windows": [
            [start, end, _window(read_window(ledger, engine_id, start, end))]
            for start, end in parts
        ],
        "steps": [[step.from_ms, step.to_ms, _metrics(step)] for step in steps],
    }


def _window(window: Window | None) -> dict[str, Any] | None:
    return None if window is None else {**asdict(window), "metrics": _metrics(window)}


def _metrics(window: Window) -> dict[str, Any]:
    values = metrics(window, PRICES)
    return {name: bound_json(value) or to_json(value) for name, value in values.items()}


def _exported(ledger: Ledger, table: str) -> dict[str, list[Any]]:
    """Column by column, so that one more column is one more key."""
    told = list(rows(ledger, table))
    return {name: [row[name] for row in told] for name in columns(ledger, table)}
