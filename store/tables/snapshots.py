"""Snapshots: a window under a name, with the configuration in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from store.errors import BadInput
from store.foreign_text import printable
from store.ledger.connection import Ledger
from store.ledger.database import database

NAME_LENGTH = 64
BASELINE = "baseline"

_COLUMNS = "name, engine_id, from_ms, to_ms, made_ms, configuration, note"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named window of an engine. `configuration` holds what was in force, as JSON values."""

    name: str
    engine_id: int
    from_ms: int
    to_ms: int
    made_ms: int
    configuration: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def save(ledger: Ledger, snapshot: Snapshot, *, replace: bool = False) -> None:
    """Store a snapshot, on the disk when this returns.

    Raises `BadInput` for a name that cannot be typed back, or that is taken unless `replace`.
    """
    _check_name(snapshot.name)
    db = database(ledger.conn)
    row = asdict(snapshot) | {"configuration": json.dumps(dict(snapshot.configuration))}
    with ledger.transaction(durable=True):
        if not replace and get(ledger, snapshot.name) is not None:
            raise BadInput(
                f"There is a snapshot named {snapshot.name} already",
                "It was left as it is",
                "Choose another name, or say --replace",
            )
        db.table("snapshots").insert(row, replace=True)


def get(ledger: Ledger, name: str) -> Snapshot | None:
    """The snapshot of this name."""
    row = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM snapshots WHERE name = ?", (name,)
    ).fetchone()
    return _snapshot(row) if row else None


def list_all(ledger: Ledger) -> list[Snapshot]:
    """All snapshots, newest first."""
    rows = ledger.conn.execute(f"SELECT {_COLUMNS} FROM snapshots ORDER BY made_ms DESC, name")
    return [_snapshot(row) for row in rows]


def newest_baseline(ledger: Ledger, engine_id: int) -> Snapshot | None:
    """The engine's newest snapshot called a baseline: `baseline`, or `baseline-` and more."""
    return next(
        (
            kept
            for kept in list_all(ledger)
            if kept.engine_id == engine_id and f"{kept.name}-".startswith(f"{BASELINE}-")
        ),
        None,
    )


def _snapshot(row: tuple[Any, ...]) -> Snapshot:
    name, engine_id, from_ms, to_ms, made_ms, configuration, note = row
    return Snapshot(name, engine_id, from_ms, to_ms, made_ms, json.loads(configuration), note)


def _check_name(name: str) -> None:
    if not name or name != printable(name, NAME_LENGTH).strip():
        raise BadInput(
            "That name cannot be used for a snapshot",
            f"A name is 1 to {NAME_LENGTH} printable characters, without space at its ends",
        )
