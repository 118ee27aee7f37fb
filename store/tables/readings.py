"""Cumulative readings of a run: append one, and find the row at an instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from store.device_columns import DeviceReading
from store.errors import NotCumulative
from store.ledger.connection import Ledger
from store.ledger.schema import CUMULATIVE_COLUMNS, MINUTE_MS
from store.reading_columns import (
    BUCKET_SLOTS,
    HISTOGRAMS,
    READING_COLUMNS,
    VALUE_COLUMNS,
    Histogram,
    Reading,
)
from store.tables.devices import append_devices, check_devices_grow, devices_at

Row = tuple[Any, ...]
"""A row of `readings`: integers or None, in the order of `READING_COLUMNS`."""

_COLUMNS = ", ".join(READING_COLUMNS)
_INSERT = f"INSERT INTO reading_rows ({_COLUMNS}) VALUES ({', '.join('?' * len(READING_COLUMNS))})"
_BASE = f"SELECT {', '.join(CUMULATIVE_COLUMNS)} FROM reading_bases WHERE run_id = ? AND minute = ?"
_INSERT_BASE = (
    f"INSERT INTO reading_bases (run_id, minute, {', '.join(CUMULATIVE_COLUMNS)}) "
    f"VALUES ({', '.join('?' * (2 + len(CUMULATIVE_COLUMNS)))})"
)
_LAST = f"SELECT {_COLUMNS} FROM readings WHERE run_id = ? ORDER BY ts_ms DESC LIMIT 1"
_AT = f"SELECT {_COLUMNS} FROM readings WHERE run_id = ? AND ts_ms <= ? ORDER BY ts_ms DESC LIMIT 1"
_FIRST = f"SELECT {_COLUMNS} FROM readings WHERE run_id = ? ORDER BY ts_ms LIMIT 1"
_NO_HISTOGRAM: Row = (None,) * (2 + BUCKET_SLOTS)
_FIRST_HISTOGRAM = 2 + len(VALUE_COLUMNS)
_CUMULATED = tuple(READING_COLUMNS.index(column) for column in CUMULATIVE_COLUMNS)


def append(ledger: Ledger, reading: Reading, devices: Sequence[DeviceReading] = ()) -> None:
    """Store a reading and the device rows of the same instant, all or nothing.

    Raises `NotCumulative`, and stores nothing, if time does not go on or a value falls.
    """
    row = to_row(reading)
    with ledger.transaction():
        before = ledger.conn.execute(_LAST, (reading.run_id,)).fetchone()
        if before is not None:
            _check_grows(before, row)
            if devices:
                check_devices_grow(devices_at(ledger, reading.run_id, before[1]), devices)
        ledger.conn.execute(_INSERT, _grown(row, _base(ledger, row)))
        append_devices(ledger, devices)


def last(ledger: Ledger, run_id: int) -> Reading | None:
    """The run's last reading."""
    row = ledger.conn.execute(_LAST, (run_id,)).fetchone()
    return to_reading(row) if row else None


def last_devices(ledger: Ledger, run_id: int) -> list[DeviceReading]:
    """The last row of each device the run holds."""
    row = ledger.conn.execute(
        "SELECT max(ts_ms) FROM device_readings WHERE run_id = ?", (run_id,)
    ).fetchone()
    return list(devices_at(ledger, run_id, row[0]).values()) if row[0] is not None else []


def row_at(ledger: Ledger, run_id: int, ts_ms: int) -> Row | None:
    """The run's row at or before `ts_ms`: one descent of the index."""
    row: Row | None = ledger.conn.execute(_AT, (run_id, ts_ms)).fetchone()
    return row


def first_row(ledger: Ledger, run_id: int) -> Row | None:
    """The run's first row."""
    row: Row | None = ledger.conn.execute(_FIRST, (run_id,)).fetchone()
    return row


def times_between(ledger: Ledger, run_id: int, after_ms: int, to_ms: int) -> list[int]:
    """The times of the run's rows in (after_ms, to_ms], in order."""
    rows = ledger.conn.execute(
        "SELECT ts_ms FROM reading_rows WHERE run_id = ? AND ts_ms > ? AND ts_ms <= ? "
        "ORDER BY ts_ms",
        (run_id, after_ms, to_ms),
    )
    return [row[0] for row in rows]


def to_row(reading: Reading) -> Row:
    """A reading as a row."""
    row: list[int | None] = [reading.run_id, reading.ts_ms]
    row.extend(reading.values.get(column) for column in VALUE_COLUMNS)
    for name in HISTOGRAMS:
        histogram = reading.histograms.get(name)
        if histogram is None:
            row.extend(_NO_HISTOGRAM)
        else:
            spare = BUCKET_SLOTS - len(histogram.buckets)
            row.extend((histogram.count, histogram.sum_us, *histogram.buckets))
            row.extend((None,) * spare)
    return tuple(row)


def to_reading(row: Row) -> Reading:
    """A row as a reading."""
    values = dict(zip(VALUE_COLUMNS, row[2:_FIRST_HISTOGRAM], strict=True))
    return Reading(row[0], row[1], values, _histograms(row))


def _histograms(row: Row) -> Mapping[str, Histogram | None]:
    width = 2 + BUCKET_SLOTS
    by_name: dict[str, Histogram | None] = {}
    for index, name in enumerate(HISTOGRAMS):
        count, sum_us, *slots = row[_FIRST_HISTOGRAM + index * width :][:width]
        buckets = tuple(slot for slot in slots if slot is not None)
        by_name[name] = None if count is None else Histogram(count, sum_us, buckets)
    return by_name


def _base(ledger: Ledger, row: Row) -> Row:
    """The base of the row's minute; the row's own values if it is the first one of it."""
    key = (row[0], row[1] // MINUTE_MS)
    base: Row | None = ledger.conn.execute(_BASE, key).fetchone()
    if base is None:
        base = tuple(row[index] for index in _CUMULATED)
        ledger.conn.execute(_INSERT_BASE, (*key, *base))
    return base


def _grown(row: Row, base: Row) -> list[int | None]:
    """The row with what it has grown by since the base in place of what is cumulative."""
    grown = list(row)
    for index, start in zip(_CUMULATED, base, strict=True):
        if start is not None and row[index] is not None:
            grown[index] = row[index] - start
    return grown


def _check_grows(before: Row, after: Row) -> None:
    if after[1] <= before[1]:
        raise NotCumulative("ts_ms", before[1], after[1])
    for index in _CUMULATED:
        old, new = before[index], after[index]
        if old is not None and new is not None and new < old:
            raise NotCumulative(READING_COLUMNS[index], old, new)
