"""Runs: one life of an engine each, from the first reading until its process ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from store.ledger.connection import Ledger
from store.reading_columns import Bounds
from store.records import RunInfo, RunRow

_SELECT = """
SELECT runs.id, engine_id, model, pid, started_ms, vllm_version, control, reason, url, engines.name,
  arguments, bounds, cache_config,
  (SELECT min(ts_ms) FROM reading_rows WHERE run_id = runs.id) AS first_ms,
  (SELECT max(ts_ms) FROM reading_rows WHERE run_id = runs.id) AS last_ms
FROM runs JOIN engines ON engines.id = engine_id
"""

_PLAIN_COLUMNS = ("model", "pid", "started_ms", "vllm_version", "control", "reason")
_INFO_COLUMNS = (*_PLAIN_COLUMNS, "arguments", "bounds", "cache_config")


def open_run(ledger: Ledger, engine_id: int, info: RunInfo, first_seen_ms: int) -> int:
    """Begin a run of the engine and return its id. URL and name stay with the engine."""
    columns = ", ".join(_INFO_COLUMNS)
    placeholders = ", ".join("?" * (len(_INFO_COLUMNS) + 2))
    with ledger.transaction():
        cursor = ledger.conn.execute(
            f"INSERT INTO runs (engine_id, first_seen_ms, {columns}) VALUES ({placeholders})",
            (engine_id, first_seen_ms, *_info_values(info)),
        )
    return int(cursor.lastrowid or 0)


def update_run(ledger: Ledger, run_id: int, info: RunInfo) -> None:
    """Replace what is known of the run; writes only where it differs."""
    assignments = ", ".join(f"{column} = ?" for column in _INFO_COLUMNS)
    differences = " OR ".join(f"{column} IS NOT ?" for column in _INFO_COLUMNS)
    values = _info_values(info)
    with ledger.transaction():
        ledger.conn.execute(
            f"UPDATE runs SET {assignments} WHERE id = ? AND ({differences})",
            (*values, run_id, *values),
        )


def latest_run(ledger: Ledger, engine_id: int) -> RunRow | None:
    """The engine's newest run, or None if it never had one."""
    rows = ledger.conn.execute(
        f"{_SELECT} WHERE engine_id = ? ORDER BY runs.id DESC LIMIT 1", (engine_id,)
    )
    return next(_rows(rows), None)


def read_run(ledger: Ledger, run_id: int) -> RunRow:
    """A run that is there."""
    rows = ledger.conn.execute(f"{_SELECT} WHERE runs.id = ?", (run_id,))
    return next(_rows(rows))


def list_runs(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int) -> list[RunRow]:
    """The engine's runs with a reading in [from_ms, to_ms] or one on each side, oldest first."""
    rows = ledger.conn.execute(
        f"SELECT * FROM ({_SELECT} WHERE engine_id = ?) "
        "WHERE first_ms <= ? AND last_ms >= ? ORDER BY id",
        (engine_id, to_ms, from_ms),
    )
    return list(_rows(rows))


def read_bounds(ledger: Ledger, run_id: int) -> dict[str, tuple[float, ...]]:
    """The bucket bounds of each histogram of a run, in seconds; empty for an unknown run."""
    row = ledger.conn.execute("SELECT bounds FROM runs WHERE id = ?", (run_id,)).fetchone()
    return _decode_bounds(row[0]) if row else {}


def _info_values(info: RunInfo) -> tuple[object, ...]:
    bounds = {name: list(values) for name, values in info.bounds.by_histogram.items()}
    return (
        info.model,
        info.pid,
        info.started_ms,
        info.vllm_version,
        info.control,
        info.reason,
        json.dumps(info.arguments),
        json.dumps(bounds),
        json.dumps(dict(info.cache_config)),
    )


def _rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[RunRow]:
    for run_id, engine_id, *columns, arguments, bounds, cache_config, first_ms, last_ms in rows:
        info = RunInfo(
            **dict(zip((*_PLAIN_COLUMNS, "url", "name"), columns, strict=True)),
            arguments=tuple(json.loads(arguments)),
            bounds=Bounds(_decode_bounds(bounds)),
            cache_config=json.loads(cache_config),
        )
        yield RunRow(run_id, engine_id, info, first_ms, last_ms)


def _decode_bounds(text: str) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values) for name, values in json.loads(text).items()}
