"""Thinning of device rows, along with the readings of the same instants."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import zip_longest

from store.ledger.connection import Ledger
from store.windows.sums import fold


def drop_device_rows(ledger: Ledger, run_id: int, times: Sequence[int], kept: set[int]) -> None:
    """Drop the device rows of the readings at `times` that are not in `kept` (indexes).

    Up to each reading kept a device's last row stays, be it earlier: a look back from there would
    else find less than there was. So does its first row, which its windows may start from. The most
    memory of a dropped row is folded into the device's next one.
    """
    rows = ledger.conn.execute(
        "SELECT device_id, ts_ms, memory_max_mib, first_ms FROM device_readings "
        "JOIN run_devices USING (run_id, device_id) "
        "WHERE run_id = ? AND ts_ms BETWEEN ? AND ? ORDER BY device_id, ts_ms",
        (run_id, times[0], times[-1]),
    ).fetchall()
    kept_times = [times[index] for index in sorted(kept) if index < len(times)]
    dropped_rows = []
    raised_rows = []
    carried_mib: int | None = None
    for row, following in zip_longest(rows, rows[1:]):
        device_id, ts_ms, memory, first_ms = row
        highest, carried_mib = fold(carried_mib, memory), None
        end = kept_times[bisect_left(kept_times, ts_ms)]
        has_later = following is not None and following[0] == device_id and following[1] <= end
        if has_later and ts_ms != first_ms:
            dropped_rows.append((run_id, ts_ms, device_id))
            carried_mib = highest
        elif highest != memory:
            raised_rows.append((highest, run_id, ts_ms, device_id))
    condition = "WHERE run_id = ? AND ts_ms = ? AND device_id = ?"
    ledger.conn.executemany(f"DELETE FROM device_readings {condition}", dropped_rows)
    ledger.conn.executemany(
        f"UPDATE device_readings SET memory_max_mib = ? {condition}", raised_rows
    )
