"""Audited knob changes: one row each, whoever tells of it and however often."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from store.ledger.connection import Ledger
from store.records import VARIANT, Change, KnobState

SETTLE_MS = 3_000
"""So long after a change the engine still works off what it had: no window of what the change did
begins earlier."""

_FIELDS = tuple(field.name for field in fields(Change))
_COLUMNS = ", ".join(_FIELDS)
_JSON = frozenset(("from_value", "to_value", "per_engine"))

_FINALITY = ("failed", "refused", "applied", "put back")
"""Outcomes by how much is known: an asker that got no answer says failed, the engine then says what
it did, and what was applied may still be put back."""

_UNDOABLE = f"""
SELECT {_COLUMNS} FROM changes AS made
WHERE run_id = :run AND cause = 'set' AND outcome = 'applied' AND from_value <> 'null'
  AND NOT EXISTS (
    SELECT 1 FROM changes AS back
    WHERE back.run_id = :run AND back.undoes = made.id
      AND back.cause IN ('undo', 'lease') AND back.outcome = 'applied')
  AND from_value <> (
    SELECT to_value FROM changes AS latest
    WHERE latest.run_id = :run AND latest.knob = made.knob AND latest.outcome = 'applied'
    ORDER BY ts_ms DESC, rowid DESC LIMIT 1)
"""
_LAST_UNDOABLE = f"{_UNDOABLE} ORDER BY ts_ms DESC, rowid DESC LIMIT 1"
_UNDOABLE_OF_ACT = f"{_UNDOABLE} AND act = :act ORDER BY ts_ms DESC, rowid DESC"


def record(ledger: Ledger, run_id: int, change: Change) -> bool:
    """Store a change, on the disk when this returns; False if it was known by its id already.

    The engine's journal and the asker both tell of a change. What the first left out the second
    fills in, and the outcome is that of who knows more: more EngineCores, then the more final one.
    """
    with ledger.transaction(durable=True):
        stored = get_change(ledger, change.id)
        if stored is None:
            placeholders = ", ".join("?" * len(_FIELDS))
            ledger.conn.execute(
                f"INSERT INTO changes (run_id, {_COLUMNS}) VALUES (?, {placeholders})",
                (run_id, *_values(change)),
            )
        elif (merged := _merge(stored, change)) != stored:
            assignments = ", ".join(f"{column} = ?" for column in _FIELDS)
            ledger.conn.execute(
                f"UPDATE changes SET {assignments} WHERE id = ?", (*_values(merged), change.id)
            )
    return stored is None


def get_change(ledger: Ledger, change_id: str) -> Change | None:
    """The change with this id."""
    row = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM changes WHERE id = ?", (change_id,)
    ).fetchone()
    return _change(row) if row else None


def list_changes(
    ledger: Ledger,
    engine_id: int,
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int | None = None,
) -> list[Change]:
    """The engine's changes within [from_ms, to_ms] (open where None), newest first."""
    rows = ledger.conn.execute(
        f"SELECT {_COLUMNS} FROM changes "
        "WHERE run_id IN (SELECT id FROM runs WHERE engine_id = ?) "
        "AND ts_ms >= ifnull(?, ts_ms) AND ts_ms <= ifnull(?, ts_ms) "
        "ORDER BY ts_ms DESC, rowid DESC LIMIT ifnull(?, -1)",
        (engine_id, from_ms, to_ms, limit),
    )
    return [_change(row) for row in rows]


def carried_over(ledger: Ledger, swap: Change) -> set[str]:
    """The ids of the changes that gave the new engine of a swap the live values of the one before:
    made in its run before it had taken over, so that nothing is another for whoever asks it."""
    rows = ledger.conn.execute(
        "SELECT other.id FROM changes AS swap JOIN changes AS other USING (run_id) "
        "WHERE swap.id = :swap AND swap.knob = :variant AND other.id != swap.id "
        "AND other.ts_ms BETWEEN swap.ts_ms - ifnull(swap.took_ms, 0) AND swap.ts_ms",
        {"swap": swap.id, "variant": VARIANT},
    )
    return {row[0] for row in rows}


def ids_in_run(ledger: Ledger, run_id: int, limit: int) -> set[str]:
    """The ids of the newest changes of one run: those before it ended with the process they were
    made in."""
    rows = ledger.conn.execute(
        "SELECT id FROM changes WHERE run_id = ? ORDER BY ts_ms DESC, rowid DESC LIMIT ?",
        (run_id, limit),
    )
    return {row[0] for row in rows}


def last_undoable(ledger: Ledger, run_id: int) -> Change | None:
    """The newest change of this run that a person applied and that still stands.

    Not one that was taken back, whose lease ran out, or whose knob has its old value anyway (a
    lease that ends takes back every change made under it). Asked again after an undo it gives the
    change before.
    """
    row = ledger.conn.execute(_LAST_UNDOABLE, {"run": run_id}).fetchone()
    return _change(row) if row else None


def with_leases(
    states: Iterable[KnobState], made: Iterable[Change], now_ms: int
) -> tuple[KnobState, ...]:
    """The states with what is left of their leases, as these changes tell, newest first.

    The last change of a knob decides, while its value is the knob's and its time has not run out.
    """
    last: dict[str, Change] = {}
    for change in made:
        if change.outcome == "applied":
            last.setdefault(change.knob, change)

    def left_s(state: KnobState) -> float | None:
        change = last.get(state.name)
        if change is None or change.lease_s is None or change.to_value != state.value:
            return None
        left = (change.ts_ms - now_ms) / 1000 + change.lease_s
        return left if left > 0 else None

    return tuple(replace(state, lease_left_s=left_s(state)) for state in states)


def undoable_with(ledger: Ledger, run_id: int, change: Change) -> list[Change]:
    """This change and the others of its act that still stand, newest first."""
    if not change.act:
        return [change]
    rows = ledger.conn.execute(_UNDOABLE_OF_ACT, {"run": run_id, "act": change.act})
    return [_change(row) for row in rows]


def _merge(stored: Change, other: Change) -> Change:
    """What two tellings of one change say together."""
    knows_more = _rank(other) > _rank(stored)
    fuller, lesser = (other, stored) if knows_more else (stored, other)
    return Change(
        id=stored.id,
        ts_ms=fuller.ts_ms,
        knob=stored.knob,
        from_value=fuller.from_value if fuller.from_value is not None else lesser.from_value,
        to_value=fuller.to_value if fuller.to_value is not None else lesser.to_value,
        outcome=fuller.outcome,
        cause=stored.cause,
        who=stored.who or other.who,
        why=stored.why or other.why,
        reason=fuller.reason or (lesser.reason if lesser.outcome == fuller.outcome else ""),
        took_ms=fuller.took_ms if fuller.took_ms is not None else lesser.took_ms,
        lease_s=fuller.lease_s if fuller.lease_s is not None else lesser.lease_s,
        undoes=stored.undoes or other.undoes,
        per_engine={**lesser.per_engine, **fuller.per_engine},
        act=stored.act or other.act,
    )


def _rank(change: Change) -> tuple[int, int]:
    return len(change.per_engine), _FINALITY.index(change.outcome)


def _values(change: Change) -> list[object]:
    cells = ((column, getattr(change, column)) for column in _FIELDS)
    return [json.dumps(value) if column in _JSON else value for column, value in cells]


def _change(row: Iterable[Any]) -> Change:
    pairs = zip(_FIELDS, row, strict=True)
    return Change(
        **{column: json.loads(value) if column in _JSON else value for column, value in pairs}
    )
