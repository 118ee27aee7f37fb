"""Devices (GPUs, or the host of a CPU engine) and the cumulative rows of those a run holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from store.device_columns import DeviceReading
from store.errors import NotCumulative
from store.ledger.connection import Ledger
from store.records import Device

_FIELDS = tuple(field.name for field in fields(DeviceReading))
COLUMNS = ", ".join(_FIELDS)
"""Columns of `device_readings` in the order of `DeviceReading`'s fields."""

CUMULATIVE: tuple[str, ...] = (
    "held_ms",
    "watched_ms",
    "busy_us",
    "memory_mib_ms",
    "energy_mj",
    "busy_unknown_ms",
    "memory_unknown_ms",
)
"""What only grows in a device's rows within a run."""

_INSERT = f"INSERT INTO device_readings ({COLUMNS}) VALUES ({', '.join('?' * len(_FIELDS))})"


def upsert_device(ledger: Ledger, device: Device) -> int:
    """The id of the device, made if it is new; its product name is kept up to date."""
    with ledger.transaction():
        row = ledger.conn.execute(
            "INSERT INTO devices (kind, uuid, name) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, uuid) DO UPDATE SET name = excluded.name RETURNING id",
            (device.kind, device.uuid, device.name),
        ).fetchone()
    return int(row[0])


def devices_by_id(ledger: Ledger, run_id: int) -> dict[int, Device]:
    """The devices the run has held, by id, in the order they joined."""
    rows = ledger.conn.execute(
        "SELECT id, kind, uuid, name FROM run_devices JOIN devices ON devices.id = device_id "
        "WHERE run_id = ? ORDER BY first_ms, id",
        (run_id,),
    )
    return {device_id: Device(kind, uuid, name) for device_id, kind, uuid, name in rows}


def append_devices(ledger: Ledger, readings: Iterable[DeviceReading]) -> None:
    """Store the device rows of one instant, inside the caller's transaction."""
    for reading in readings:
        ledger.conn.execute(
            "INSERT INTO run_devices (run_id, device_id, first_ms) VALUES (?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (reading.run_id, reading.device_id, reading.ts_ms),
        )
        ledger.conn.execute(_INSERT, [getattr(reading, name) for name in _FIELDS])


def check_devices_grow(before: Mapping[int, DeviceReading], after: Iterable[DeviceReading]) -> None:
    """Raise `NotCumulative` if a value of a device (by id) would fall."""
    for reading in after:
        old = before.get(reading.device_id)
        if old is None:
            continue
        for column in CUMULATIVE:
            old_value, new_value = getattr(old, column), getattr(reading, column)
            if old_value is not None and new_value is not None and new_value < old_value:
                raise NotCumulative(column, old_value, new_value)


def devices_at(ledger: Ledger, run_id: int, ts_ms: int) -> dict[int, DeviceReading]:
    """Each device's row at or before `ts_ms`, by device id; a device not yet there is left out.

    Device rows are written with the run's reading, so those of one instant answer for almost all;
    only a device that has none there is looked for further back.
    """
    device_ids = [
        row[0]
        for row in ledger.conn.execute(
            "SELECT device_id FROM run_devices WHERE run_id = ? AND first_ms <= ?", (run_id, ts_ms)
        )
    ]
    rows = ledger.conn.execute(
        f"SELECT {COLUMNS} FROM device_readings WHERE run_id = ? AND ts_ms = ?", (run_id, ts_ms)
    )
    latest = {row[1]: DeviceReading(*row) for row in rows}
    for device_id in device_ids:
        if device_id not in latest:
            row = ledger.conn.execute(
                f"SELECT {COLUMNS} FROM device_readings "
                "WHERE run_id = ? AND ts_ms < ? AND device_id = ? ORDER BY ts_ms DESC LIMIT 1",
                (run_id, ts_ms, device_id),
            ).fetchone()
            if row:
                latest[device_id] = DeviceReading(*row)
    return latest


def first_of_device(ledger: Ledger, run_id: int, device_id: int) -> DeviceReading | None:
    """The device's first row in the run."""
    row = ledger.conn.execute(
        f"SELECT {COLUMNS} FROM device_readings WHERE run_id = ? AND device_id = ? "
        "AND ts_ms = (SELECT first_ms FROM run_devices WHERE run_id = ? AND device_id = ?)",
        (run_id, device_id, run_id, device_id),
    ).fetchone()
    return DeviceReading(*row) if row else None
