"""Audited knob changes: one row each, whoever tells of it and however often."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from store.ledger.connection import Ledger
from store.records import Change, KnobState

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
        known = get_change(ledger, change.id)
        if known is None:
            places = ", ".join("?" * len(_FIELDS))
            ledger.conn.execute(
                f"INSERT INTO changes (run_id, {_COLUMNS}) VALUES (?, {places})",
                (run_id, *_values(change)),
            )
        elif (merged := _merge(known, change)) != known:
            assigned = ", ".join(f"{column} = ?" for column in _FIELDS)
            ledger.conn.execute(
                f"UPDATE changes SET {assigned} WHERE id = ?", (*_values(merged), change.id)
            )
    return known is None


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


def _merge(known: Change, other: Change) -> Change:
    """What two tellings of one change say together."""
    better = _rank(other) > _rank(known)
    first, second = (other, known) if better else (known, other)
    return Change(
        id=known.id,
        ts_ms=first.ts_ms,
        knob=known.knob,
        from_value=first.from_value if first.from_value is not None else second.from_value,
        to_value=first.to_value if first.to_value is not None else second.to_value,
        outcome=first.outcome,
        cause=known.cause,
        who=known.who or other.who,
        why=known.why or other.why,
        reason=first.reason or (second.reason if second.outcome == first.outcome else ""),
        took_ms=first.took_ms if first.took_ms is not None else second.took_ms,
        lease_s=first.lease_s if first.lease_s is not None else second.lease_s,
        undoes=known.undoes or other.undoes,
        per_engine={**second.per_engine, **first.per_engine},
        act=known.act or other.act,
    )


def _rank(change: Change) -> tuple[int, int]:
    return len(change.per_engine), _FINALITY.index(change.outcome)


def _values(change: Change) -> list[object]:
    cells = ((column, getattr(change, column)) for column in _FIELDS)
    return [json.dumps(value) if column in _JSON else value for column, value in cells]


def _change(row: Iterable[Any]) -> Change:
    stored = zip(_FIELDS, row, strict=True)
    return Change(
        **{column: json.loads(value) if column in _JSON else value for column, value in stored}
    )
