"""What a recorder writes: each function is one transaction, run by the ledger's writer thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines.metrics_page import Sample
from engines.recording.judging.continuity import continues
from engines.recording.judging.lives import may_be_same_life
from engines.recording.sampler import Run
from engines.recording.wall_clock import JUMP_S
from store.device_columns import DeviceReading
from store.errors import NotCumulative, TrimtabError
from store.ledger.connection import Ledger
from store.reading_columns import Reading
from store.records import Change, Device, DeviceNote, Event, RunInfo, format_value
from store.tables import (
    changes,
    device_notes,
    devices,
    doubts,
    engines,
    events,
    readings,
    recorders,
    runs,
)
from store.tables.doubts import DEVICES
from store.tables.engines import EngineState


class LeaseLost(TrimtabError):
    """Another recorder has taken over the engine."""


def keep_lease(ledger: Ledger, engine_id: int, owner: str, now_ms: int) -> None:
    """Say that we still record; raises `LeaseLost`."""
    if not recorders.beat(ledger, engine_id, owner, now_ms):
        raise LeaseLost("Another recorder has taken over this engine")


def begin_run(
    ledger: Ledger,
    engine_id: int,
    info: RunInfo,
    sample: Sample,
    *,
    at_ms: int,
    why: str,
    anew: bool = False,
) -> Run:
    """The run that `sample` goes on, or a new one; brings what is known of it up to date.

    It is a new one `anew`, and where the last reading of the one before lies in the future.
    """
    latest = runs.latest_run(ledger, engine_id)
    if latest is not None and not anew and may_be_same_life(latest.info, info):
        last = readings.last(ledger, latest.id)
        in_future = last is not None and last.ts_ms > at_ms + JUMP_S * 1000
        if not in_future and (last is None or continues(last, latest.info.bounds, sample)):
            runs.update_run(ledger, latest.id, info)
            return Run(latest.id, last, readings.last_devices(ledger, latest.id))
    run_id = runs.open_run(ledger, engine_id, info, at_ms)
    text = f"new run: {why}" if why else "new run"
    events.add(ledger, engine_id, Event(at_ms, "run", text))
    return Run(run_id)


def held_at_end(ledger: Ledger, run: Run) -> dict[Device, int]:
    """The devices that a run held at its last reading, with its share of each in parts per
    million as its last two rows tell it."""
    known = devices.devices_by_id(ledger, run.run_id)
    held = {}
    for last in run.last_devices:
        if run.last is None or last.ts_ms < run.last.ts_ms:
            continue
        before = devices.devices_at(ledger, run.run_id, last.ts_ms - 1).get(last.device_id)
        share_ppm = 1_000_000
        if before is not None:
            held_ms, passed_ms = last.held_ms - before.held_ms, last.ts_ms - before.ts_ms
            share_ppm = min(share_ppm, round(1_000_000 * held_ms / passed_ms))
        held[known[last.device_id]] = share_ppm
    return held


def store_reading(ledger: Ledger, reading: Reading, held: Sequence[DeviceReading]) -> bool:
    """Append a reading; False if it does not go on from the run's last one."""
    try:
        readings.append(ledger, reading, held)
    except NotCumulative:
        return False
    return True


def keep_doubts(
    ledger: Ledger, engine_id: int, reading: Reading, reasons: Mapping[str, str]
) -> None:
    """From this reading on these parts of it are unknown; a line in the event log for each new
    reason, unless it only says that no devices are known, as of any distant engine."""
    held = doubts.keep(ledger, reading.run_id, reasons, reading.ts_ms)
    told = {reason for what, reason in reasons.items() if what != DEVICES}
    for reason in sorted(told - set(held.values())):
        events.add(ledger, engine_id, Event(reading.ts_ms, "doubt", reason))


def keep_told(
    ledger: Ledger,
    engine_id: int,
    reading: Reading,
    reasons: Mapping[str, str],
    notes: Sequence[DeviceNote],
) -> None:
    """From this reading on this is doubted, and devices are held and shared so; a line in the event
    log for each device that is shared otherwise than until now."""
    keep_doubts(ledger, engine_id, reading, reasons)
    held = device_notes.keep(ledger, reading.run_id, notes, reading.ts_ms)
    for note in notes:
        before = held.get(note.device_uuid)
        if note.shared != (before.shared if before else ""):
            device = "the host" if note.device_uuid.startswith("host-") else note.device_uuid
            text = f"{device} is {note.shared or 'no longer shared'}"
            events.add(ledger, engine_id, Event(reading.ts_ms, "sharing", text))


def say_state(ledger: Ledger, engine_id: int, state: EngineState, reason: str, at_ms: int) -> None:
    """Set the engine's state; a line in the event log where it went from one state to another.

    Raises `LeaseLost` where the ledger is another one by now, which does not know the engine.
    """
    known = (row for row in engines.list_engines(ledger) if row.id == engine_id)
    engine_row = next(known, None)
    if engine_row is None:
        raise LeaseLost("The ledger does not know this engine")
    engines.set_status(ledger, engine_id, state, reason, at_ms)
    if engine_row.state != state:
        text = f"{state}: {reason}" if reason else state
        events.add(ledger, engine_id, Event(at_ms, "status", text))


def record_changes(ledger: Ledger, engine_id: int, run_id: int, journal: Sequence[Change]) -> None:
    """Copy the engine's journal; a line in the event log for each change not known before."""
    for change in journal:
        if changes.record(ledger, run_id, change):
            text = (
                f"{change.knob}: {format_value(change.from_value)} -> "
                f"{format_value(change.to_value)} ({change.cause}) {change.outcome}"
            )
            events.add(ledger, engine_id, Event(change.ts_ms, "change", text))
