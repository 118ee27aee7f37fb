"""What a device did for an engine in a window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from store.device_columns import DeviceReading
from store.ledger.connection import Ledger
from store.records import Device
from store.tables.devices import devices_at, devices_by_id, first_of_device
from store.windows.peaks import read_device_maximum
from store.windows.sums import add_known, highest_known, minus_known


@dataclass(frozen=True, slots=True)
class DeviceWindow:
    """Differences of a device's rows over a window; the fields are `DeviceReading`'s. What was
    unknown is so many milliseconds, 0 in a ledger that did not keep it."""

    device: Device
    held_ms: int
    watched_ms: int
    busy_us: int | None
    memory_mib_ms: int | None
    memory_max_mib: int | None
    energy_mj: int | None
    busy_unknown_ms: int = 0
    memory_unknown_ms: int = 0
    energy_unknown_ms: int = 0


def read_devices(
    ledger: Ledger, run_id: int, lower_ms: int, upper_ms: int
) -> tuple[DeviceWindow, ...]:
    """The devices with rows in (lower_ms, upper_ms], two instants at which the run has a row."""
    upper = devices_at(ledger, run_id, upper_ms)
    if not upper:
        return ()
    lower = devices_at(ledger, run_id, lower_ms)
    windows = []
    for device_id, device in devices_by_id(ledger, run_id).items():
        end = upper.get(device_id)
        start = lower.get(device_id) or first_of_device(ledger, run_id, device_id)
        if end is not None and start is not None and end.ts_ms > start.ts_ms:
            highest = read_device_maximum(ledger, run_id, device_id, start.ts_ms, upper_ms)
            windows.append(between(device, start, end, highest))
    return tuple(windows)


def between(
    device: Device, start: DeviceReading, end: DeviceReading, memory_max_mib: int | None
) -> DeviceWindow:
    """The difference of two rows of a device."""
    return DeviceWindow(
        device,
        end.held_ms - start.held_ms,
        end.watched_ms - start.watched_ms,
        minus_known(end.busy_us, start.busy_us),
        minus_known(end.memory_mib_ms, start.memory_mib_ms),
        memory_max_mib,
        minus_known(end.energy_mj, start.energy_mj),
        (end.busy_unknown_ms or 0) - (start.busy_unknown_ms or 0),
        (end.memory_unknown_ms or 0) - (start.memory_unknown_ms or 0),
        (end.energy_unknown_ms or 0) - (start.energy_unknown_ms or 0),
    )


def merge_devices(a: Iterable[DeviceWindow], b: Iterable[DeviceWindow]) -> tuple[DeviceWindow, ...]:
    """The devices of both; one that is in both is summed."""
    merged = {window.device: window for window in a}
    for window in b:
        merged_window = merged.get(window.device)
        merged[window.device] = window if merged_window is None else _add(merged_window, window)
    return tuple(merged.values())


def _add(a: DeviceWindow, b: DeviceWindow) -> DeviceWindow:
    return DeviceWindow(
        a.device,
        a.held_ms + b.held_ms,
        a.watched_ms + b.watched_ms,
        add_known(a.busy_us, b.busy_us),
        add_known(a.memory_mib_ms, b.memory_mib_ms),
        highest_known(a.memory_max_mib, b.memory_max_mib),
        add_known(a.energy_mj, b.energy_mj),
        a.busy_unknown_ms + b.busy_unknown_ms,
        a.memory_unknown_ms + b.memory_unknown_ms,
        a.energy_unknown_ms + b.energy_unknown_ms,
    )
