"""The history of a run's knobs: a row for each state a knob came into."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from store.ledger.connection import Ledger
from store.records import KnobState

_COLUMNS = "name, kind, value, start, minimum, maximum, reason"

_IN_FORCE = f"""
SELECT {_COLUMNS} FROM knobs WHERE run_id = ? AND (name, ts_ms) IN (
  SELECT name, max(ts_ms) FROM knobs WHERE run_id = ? AND ts_ms <= ? GROUP BY name
) ORDER BY name
"""

_END_OF_TIME = 2**62


def record(ledger: Ledger, run_id: int, ts_ms: int, states: Sequence[KnobState]) -> int:
    """Store the states that differ from those in force at `ts_ms`; returns how many did."""
    with ledger.transaction():
        in_force = {state.name: state for state in current(ledger, run_id, ts_ms)}
        changed = [state for state in states if in_force.get(state.name) != state]
        ledger.conn.executemany(
            f"INSERT OR REPLACE INTO knobs (run_id, ts_ms, {_COLUMNS}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((run_id, ts_ms, *_values(state)) for state in changed),
        )
    return len(changed)


def current(ledger: Ledger, run_id: int, at_ms: int | None = None) -> list[KnobState]:
    """The knobs as they were at `at_ms` (now, if None), by name; empty before the first state."""
    until = _END_OF_TIME if at_ms is None else at_ms
    return list(_states(ledger.conn.execute(_IN_FORCE, (run_id, run_id, until))))


def _values(state: KnobState) -> tuple[object, ...]:
    return (
        state.name,
        state.kind,
        json.dumps(state.value),
        json.dumps(state.start),
        state.minimum,
        state.maximum,
        state.reason,
    )


def _states(rows: Iterable[tuple[Any, ...]]) -> Iterable[KnobState]:
    for name, kind, value, start, minimum, maximum, reason in rows:
        yield KnobState(name, kind, json.loads(value), json.loads(start), minimum, maximum, reason)
