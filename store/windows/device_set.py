"""Which devices an engine had in a window, and when one of them was not there or did not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from store.ledger.connection import Ledger
from store.records import Device
from store.tables.cards import Outage, outages
from store.tables.devices import devices_by_id
from store.windows.window import Window

SLACK_MS = 5_000
"""A device that comes so shortly after its run, or goes so shortly before the window's end, was
looked up late."""


@dataclass(frozen=True, slots=True)
class DeviceSet:
    """`held` are all devices of the window; `joined` and `left` those that were not held from its
    beginning, or not to its end. `outages` are the stretches without an answer, by device.
    For `unknown_ms` nobody knew what was held, `unknown` says why.
    """

    held: frozenset[Device]
    joined: tuple[Device, ...] = ()
    left: tuple[Device, ...] = ()
    outages: tuple[tuple[Device, Outage], ...] = ()
    unknown_ms: int = 0
    unknown: str = ""


def read_device_set(ledger: Ledger, window: Window) -> DeviceSet:
    """The devices of a window that was read out of `ledger`."""
    known: dict[int, Device] = {}
    joined: list[Device] = []
    left: list[Device] = []
    with ledger.consistent():
        for run_id in window.run_ids:
            by_id = devices_by_id(ledger, run_id)
            for device_id, first_ms, last_ms in _spans(ledger, run_id, window):
                known[device_id] = by_id[device_id]
                start_ms, end_ms = _run_span(ledger, run_id, window)
                if first_ms > start_ms + SLACK_MS:
                    joined.append(by_id[device_id])
                if last_ms < end_ms - SLACK_MS:
                    left.append(by_id[device_id])
        silent = outages(ledger, tuple(known), window.from_ms, window.to_ms) if known else []
    return DeviceSet(
        frozenset(known.values()),
        tuple(joined),
        tuple(left),
        tuple((known[each.device_id], each) for each in silent),
        window.devices_unknown_ms,
        window.devices_unknown,
    )


def _spans(ledger: Ledger, run_id: int, window: Window) -> Sequence[tuple[int, int, int]]:
    """Each device of the run that was held in the window: when first, when last until its end."""
    rows = ledger.conn.execute(
        "SELECT device_id, first_ms, (SELECT max(ts_ms) FROM device_readings AS r "
        "WHERE r.run_id = d.run_id AND r.device_id = d.device_id AND r.ts_ms <= :to) AS last_ms "
        "FROM run_devices AS d WHERE run_id = :run AND first_ms <= :to AND last_ms > :from",
        {"run": run_id, "from": window.from_ms, "to": window.to_ms},
    )
    return rows.fetchall()


def _run_span(ledger: Ledger, run_id: int, window: Window) -> tuple[int, int]:
    """The part of the window in which the run was read."""
    first_ms, last_ms = ledger.conn.execute(
        "SELECT min(ts_ms), max(ts_ms) FROM reading_rows "
        "WHERE run_id = ? AND ts_ms BETWEEN ? AND ?",
        (run_id, window.from_ms, window.to_ms),
    ).fetchone()
    return first_ms, last_ms
