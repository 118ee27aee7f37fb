"""The highest gauge values between two rows of a run, by whole minutes where there are any."""

from __future__ import annotations

from store.ledger.connection import Ledger
from store.ledger.schema import MINUTE_MS
from store.reading_columns import MAXIMA

_HIGHEST = ", ".join(f"max({column})" for column in MAXIMA)
_COLUMNS = ", ".join(MAXIMA)


def read_maxima(ledger: Ledger, run_id: int, after_ms: int, to_ms: int) -> dict[str, int | None]:
    """The maxima of a run's rows in (after_ms, to_ms], by name; None where no row tells it."""
    sources, values = _sources(
        "reading_rows", "peaks", _COLUMNS, {"run_id": run_id}, after_ms=after_ms, to_ms=to_ms
    )
    row = ledger.conn.execute(f"SELECT {_HIGHEST} FROM ({sources})", values).fetchone()
    return dict(zip(MAXIMA, row, strict=True))


def read_device_maximum(
    ledger: Ledger, run_id: int, device_id: int, after_ms: int, to_ms: int
) -> int | None:
    """The most memory (MiB) of a device's rows in (after_ms, to_ms]; None where no row tells it."""
    sources, values = _sources(
        "device_readings",
        "device_peaks",
        "memory_max_mib",
        {"run_id": run_id, "device_id": device_id},
        after_ms=after_ms,
        to_ms=to_ms,
    )
    row = ledger.conn.execute(f"SELECT max(memory_max_mib) FROM ({sources})", values).fetchone()
    highest: int | None = row[0]
    return highest


def _sources(
    rows: str, peaks: str, columns: str, key: dict[str, int], *, after_ms: int, to_ms: int
) -> tuple[str, list[int]]:
    """A union of the rows at both ends and the whole minutes between, with its parameters."""
    condition = " AND ".join(f"{column} = ?" for column in key)
    keys = list(key.values())
    first, end = after_ms // MINUTE_MS + 1, (to_ms + 1) // MINUTE_MS
    end_rows = f"SELECT {columns} FROM {rows} WHERE {condition} AND ts_ms > ? AND ts_ms <= ?"
    if first >= end:
        return end_rows, [*keys, after_ms, to_ms]
    minutes = f"SELECT {columns} FROM {peaks} WHERE {condition} AND minute >= ? AND minute < ?"
    values = [*keys, first, end, *keys, after_ms, first * MINUTE_MS - 1, *keys]
    return f"{minutes} UNION ALL {end_rows} UNION ALL {end_rows}", [
        *values,
        end * MINUTE_MS - 1,
        to_ms,
    ]
