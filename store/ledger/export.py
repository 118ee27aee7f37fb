"""The ledger's friendly views row by row, for export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from store.errors import BadInput
from store.ledger.connection import Ledger
from store.ledger.database import database


@dataclass(frozen=True, slots=True)
class _View:
    """A view and how its rows are ordered; `at` is its time in milliseconds, where it has one."""

    name: str
    order: str
    at: str = ""


_VIEWS = {
    "readings": _View("v_readings", "engine, ts_ms", "ts_ms"),
    "devices": _View("v_devices", "engine, device, ts_ms", "ts_ms"),
    "cards": _View("v_cards", "gpu, ts_ms", "ts_ms"),
    "card_states": _View("v_card_states", "ts_ms, gpu", "ts_ms"),
    "changes": _View("v_changes", "ts_ms", "ts_ms"),
    "knobs": _View("v_knobs", "ts_ms, knob", "ts_ms"),
    "events": _View("v_events", "ts_ms", "ts_ms"),
    "swaps": _View("v_swaps", "ts_ms", "ts_ms"),
    "starts": _View("v_starts", "ts_ms", "ts_ms"),
    "doubts": _View("v_doubts", "ts_ms, what", "ts_ms"),
    "sharing": _View("v_sharing", "ts_ms, device_uuid", "ts_ms"),
    "runs": _View("v_runs", "run_id"),
    "snapshots": _View("v_snapshots", "made_utc"),
}

_ID = "engine_id"
"""The column that tells engines of one name apart; it means nothing outside this ledger."""

TABLES: tuple[str, ...] = tuple(_VIEWS)
"""What can be exported."""


def columns(ledger: Ledger, table: str) -> tuple[str, ...]:
    """The column names of a table's rows."""
    view = database(ledger.conn).view(_view(table).name)
    return tuple(column.name for column in view.columns if column.name != _ID)


def rows(
    ledger: Ledger, table: str, *, engine_id: int | None = None, from_ms: int | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a table in order, of one engine or all, not older than `from_ms`.

    Runs and snapshots have no single time: `from_ms` leaves them whole. Raises BadInput for an
    unknown table.
    """
    view = _view(table)
    conditions = [f"(:engine_id IS NULL OR {_ID} = :engine_id)"]
    if view.at:
        conditions.append(f"(:from_ms IS NULL OR {view.at} >= :from_ms)")
    yield from (
        database(ledger.conn)
        .view(view.name)
        .rows_where(
            " AND ".join(conditions),
            {"engine_id": engine_id, "from_ms": from_ms},
            view.order,
            select=", ".join(columns(ledger, table)),
        )
    )


def _view(table: str) -> _View:
    if table not in _VIEWS:
        raise BadInput(f"There is no table {table!r}", f"There are: {', '.join(TABLES)}")
    return _VIEWS[table]
