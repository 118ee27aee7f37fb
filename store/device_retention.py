"""Thinning of device rows, along with the readings of the same instants."""

from __future__ import annotations

from collections.abc import Sequence

from store.ledger import Ledger
from store.sums import fold


def drop_device_rows(ledger: Ledger, run_id: int, times: Sequence[int], kept: set[int]) -> None:
    """Drop the device rows of the readings at `times` that are not in `kept` (indexes).

    A device's row stays where the device has none at the next reading kept: a look back from there
    would else find less than there was. So does its first row, which its windows may start from.
    The most memory of a dropped row is folded into the device's next one.
    """
    next_kept: dict[int, int] = {}
    following = times[-1]
    for index in range(len(times) - 1, -1, -1):
        if index in kept:
            following = times[index]
        next_kept[times[index]] = following
    rows = ledger.conn.execute(
        "SELECT device_id, ts_ms, memory_max_mib, first_ms FROM device_readings "
        "JOIN run_devices USING (run_id, device_id) "
        "WHERE run_id = ? AND ts_ms BETWEEN ? AND ? ORDER BY device_id, ts_ms",
        (run_id, times[0], times[-1]),
    ).fetchall()
    present = {(device_id, ts_ms) for device_id, ts_ms, _, _ in rows}
    gone = []
    raised = []
    carried: dict[int, int | None] = {}
    for device_id, ts_ms, memory, first_ms in rows:
        highest = fold(carried.pop(device_id, None), memory)
        following = next_kept.get(ts_ms, ts_ms)
        if following != ts_ms != first_ms and (device_id, following) in present:
            gone.append((run_id, ts_ms, device_id))
            carried[device_id] = highest
        elif highest != memory:
            raised.append((highest, run_id, ts_ms, device_id))
    where = "WHERE run_id = ? AND ts_ms = ? AND device_id = ?"
    ledger.conn.executemany(f"DELETE FROM device_readings {where}", gone)
    ledger.conn.executemany(f"UPDATE device_readings SET memory_max_mib = ? {where}", raised)
