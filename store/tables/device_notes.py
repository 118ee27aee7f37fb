"""How it is known that a run holds a device, and how it shares it, from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from store.ledger.connection import Ledger
from store.records import DeviceNote


@dataclass(frozen=True, slots=True)
class NotedSpan:
    """A note that held from `from_ms` to `to_ms` (None: it holds)."""

    note: DeviceNote
    from_ms: int
    to_ms: int | None


def keep(
    ledger: Ledger, run_id: int, notes: Iterable[DeviceNote], ts_ms: int
) -> dict[str, DeviceNote]:
    """From `ts_ms` on these notes hold of the run and no others. Returns those that held until
    then, by the device's UUID."""
    now = {note.device_uuid: note for note in notes}
    with ledger.transaction():
        rows = ledger.conn.execute(
            "SELECT device_uuid, joined, shared FROM device_notes "
            "WHERE run_id = ? AND to_ms IS NULL",
            (run_id,),
        )
        held = {row[0]: DeviceNote(*row) for row in rows}
        ledger.conn.executemany(
            "UPDATE device_notes SET to_ms = max(from_ms, ?) "
            "WHERE run_id = ? AND device_uuid = ? AND to_ms IS NULL",
            [(ts_ms, run_id, uuid) for uuid in held if now.get(uuid) != held[uuid]],
        )
        ledger.conn.executemany(
            "INSERT OR REPLACE INTO device_notes (run_id, device_uuid, from_ms, joined, shared) "
            "VALUES (?, ?, ?, ?, ?)",
            [
                (run_id, uuid, ts_ms, note.joined, note.shared)
                for uuid, note in now.items()
                if held.get(uuid) != note
            ],
        )
    return held


def between(
    ledger: Ledger, run_ids: Sequence[int], from_ms: int, to_ms: int
) -> dict[str, tuple[NotedSpan, ...]]:
    """What was noted at some time in [from_ms, to_ms) in these runs, oldest first, by the device's
    UUID. What ended at the very beginning does not count."""
    places = ", ".join("?" * len(run_ids))
    rows = ledger.conn.execute(
        "SELECT device_uuid, joined, shared, from_ms, to_ms FROM device_notes "
        f"WHERE run_id IN ({places}) AND from_ms < ? AND ifnull(to_ms, ?) > ? ORDER BY from_ms",
        (*run_ids, to_ms, to_ms, from_ms),
    )
    spans: dict[str, tuple[NotedSpan, ...]] = {}
    for uuid, joined, shared, began_ms, ended_ms in rows:
        noted = NotedSpan(DeviceNote(uuid, joined, shared), began_ms, ended_ms)
        spans[uuid] = (*spans.get(uuid, ()), noted)
    return spans
