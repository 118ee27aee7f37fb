"""Device samples → cumulative device readings.

A device is charged to a run (`held_ms`) for all the time the run has it, watched or not, whether or
not it answers; what the device did (utilisation, memory) is only known where it told. A device is
sampled by itself, not at the instants of the engine's page: its integrals go from sample to sample.
"""

from __future__ import annotations

from dataclasses import dataclass

from engines.recording.integrals.integral import Integral, late_us, longest_gap_us
from engines.recording.integrals.known import Known, energy_between
from store.device_columns import DeviceReading

WHOLE = 1_000_000
"""A share or a utilisation of 1, in parts per million."""


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """A device at one instant as one run holds it.

    `share_ppm` is the run's part of the device, `busy_ppm` the device's utilisation, `memory_mib`
    what the run has of its memory, `energy_mj` the device's own counter of millijoules, `power_mw`
    what it draws. `at_us` is when the device told it on the monotonic clock (None: at the instant
    of the reading), which may be long ago; `is_told` says whether it ever told anything.
    `held_ppm_us` is the run's device-time (share × time) as whoever splits the device counts it for
    all who share it, at `held_at_us`; None where the share alone is known.
    """

    device_id: int
    share_ppm: int = WHOLE
    busy_ppm: int | None = None
    memory_mib: int | None = None
    energy_mj: int | None = None
    power_mw: int | None = None
    at_us: int | None = None
    is_told: bool = True
    held_ppm_us: int | None = None
    held_at_us: int | None = None


class DeviceAccumulator:
    """The readings of one device in one run.

    `resume` is its last reading if it was recorded before; the time since then was held, too.
    """

    def __init__(self, run_id: int, every_s: float, resume: DeviceReading | None = None) -> None:
        self._run_id = run_id
        self._longest_gap_us = longest_gap_us(every_s)
        self._late_us = late_us(every_s)
        self._resume_ms = None if resume is None else resume.ts_ms
        self._held_at: tuple[int, DeviceSample] | None = None
        self._last: tuple[int, DeviceSample] | None = None
        self._held = Integral(2_000 * WHOLE, resume.held_ms if resume else 0)
        self._watched = Integral(1_000, resume.watched_ms if resume else 0)
        self._busy = _known(2 * WHOLE, resume, "busy_us", "busy_unknown_ms")
        self._memory = _known(2_000, resume, "memory_mib_ms", "memory_unknown_ms")
        self._energy = _known(2 * WHOLE, resume, "energy_mj", "energy_unknown_ms")

    def let_go(self) -> None:
        """The run no longer has the device: time passes that is not charged."""
        self._held_at = self._last = self._resume_ms = None

    def add(self, sample: DeviceSample, ts_ms: int, mono_us: int) -> DeviceReading:
        """The reading at this instant; `ts_ms` is that of the run's reading at the same scrape."""
        if self._held_at is not None:
            last_us, before = self._held_at
            self._held.add(_held(before, sample, last_us, mono_us))
            if self._last is None:
                self._energy.watch(None, mono_us - last_us)
        elif self._resume_ms is not None:
            unseen_us = max(0, ts_ms - self._resume_ms) * 1_000
            self._held.add(2 * sample.share_ppm * unseen_us)
            self._energy.watch(None, unseen_us)
        self._held_at = mono_us, sample
        if sample.is_told:
            at_us = mono_us if sample.at_us is None else sample.at_us
            if self._last is not None:
                self._pass(self._last[1], sample, at_us - self._last[0])
            self._last = at_us, sample
            self._begin(sample)
        self._energy.open_us = self._silent_us(mono_us)
        return DeviceReading(
            run_id=self._run_id,
            device_id=sample.device_id,
            ts_ms=ts_ms,
            held_ms=self._held.value or 0,
            watched_ms=self._watched.value or 0,
            busy_us=self._busy.value,
            memory_mib_ms=self._memory.value,
            memory_max_mib=sample.memory_mib,
            energy_mj=self._energy.value,
            busy_unknown_ms=self._busy.unknown_ms,
            memory_unknown_ms=self._memory.unknown_ms,
            energy_unknown_ms=self._energy.unknown_ms,
        )

    def _silent_us(self, mono_us: int) -> int:
        """For how long it has not told anything, where that is longer than between two samples."""
        if self._last is None:
            return 0
        silent_us = mono_us - self._last[0]
        return silent_us if silent_us > self._late_us else 0

    def _begin(self, sample: DeviceSample) -> None:
        for known, gauge in (
            (self._busy, sample.busy_ppm),
            (self._memory, sample.memory_mib),
            (self._energy, sample.power_mw if sample.energy_mj is None else sample.energy_mj),
        ):
            if gauge is not None:
                known.begin()

    def _pass(self, before: DeviceSample, after: DeviceSample, interval_us: int) -> None:
        """From one sample of the device to the next."""
        is_watched = interval_us <= self._longest_gap_us
        share = before.share_ppm + after.share_ppm
        energy_mj = energy_between(
            (before.energy_mj, before.power_mw),
            (after.energy_mj, after.power_mw),
            interval_us if is_watched else None,
        )
        self._energy.watch(None if energy_mj is None else share * energy_mj, interval_us)
        if not is_watched:
            return
        self._watched.add(interval_us)
        for known, first, last in (
            (self._busy, before.busy_ppm, after.busy_ppm),
            (self._memory, before.memory_mib, after.memory_mib),
        ):
            is_told = first is not None and last is not None
            known.watch(
                ((first or 0) + (last or 0)) * interval_us if is_told else None, interval_us
            )


def _held(before: DeviceSample, after: DeviceSample, from_us: int, to_us: int) -> int:
    """Twice the device-time of an interval."""
    if before.held_ppm_us is None or after.held_ppm_us is None:
        return (before.share_ppm + after.share_ppm) * (to_us - from_us)
    return 2 * max(0, _held_at(after, to_us) - _held_at(before, from_us))


def _held_at(sample: DeviceSample, mono_us: int) -> int:
    """The device-time at the instant of a reading, which may have been counted a little later."""
    late_us = 0 if sample.held_at_us is None else sample.held_at_us - mono_us
    return (sample.held_ppm_us or 0) - sample.share_ppm * late_us


def _known(parts: int, resume: DeviceReading | None, value: str, unknown: str) -> Known:
    if resume is None:
        return Known(parts, None, None)
    return Known(parts, getattr(resume, value), getattr(resume, unknown))
