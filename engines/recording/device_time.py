"""Device samples → cumulative device readings.

A device is charged to a run (`held_ms`) for all the time the run lives, watched or not; what the
device did (utilisation, memory) is only known where somebody watched.
"""

from __future__ import annotations

from dataclasses import dataclass

from engines.recording.accumulate import Integral, longest_gap_us
from store.reading_columns import DeviceReading

WHOLE = 1_000_000
"""A share or a utilisation of 1, in parts per million."""


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """A device at one instant as one run holds it.

    `share_ppm` is the run's part of the device, `busy_ppm` the device's utilisation, `memory_mib`
    what the run has of its memory, `energy_mj` the device's own counter of millijoules.
    `held_ppm_us` is the run's device-time (share × time) as whoever splits the device counts it for
    all who share it, None where the share alone is known.
    """

    device_id: int
    share_ppm: int = WHOLE
    busy_ppm: int | None = None
    memory_mib: int | None = None
    energy_mj: int | None = None
    held_ppm_us: int | None = None


class DeviceAccumulator:
    """The readings of one device in one run.

    `resume` is its last reading if it was recorded before; the time since then was held, too.
    """

    def __init__(self, run_id: int, every_s: float, resume: DeviceReading | None = None) -> None:
        self._run_id = run_id
        self._longest_gap_us = longest_gap_us(every_s)
        self._resume_ms = None if resume is None else resume.ts_ms
        self._last: tuple[int, DeviceSample] | None = None
        self._held = Integral(2_000 * WHOLE, resume.held_ms if resume else 0)
        self._watched = Integral(1_000, resume.watched_ms if resume else 0)
        self._busy = Integral(2 * WHOLE, resume.busy_us if resume else None)
        self._memory = Integral(2_000, resume.memory_mib_ms if resume else None)
        self._energy = Integral(2 * WHOLE, resume.energy_mj if resume else None)

    def add(self, sample: DeviceSample, ts_ms: int, mono_us: int) -> DeviceReading:
        """The reading at this instant; `ts_ms` is that of the run's reading at the same scrape."""
        if self._last is not None:
            last_us, before = self._last
            self._pass(before, sample, mono_us - last_us)
        elif self._resume_ms is not None:
            unseen_us = max(0, ts_ms - self._resume_ms) * 1_000
            self._held.add(2 * sample.share_ppm * unseen_us)
        for integral, gauge in (
            (self._busy, sample.busy_ppm),
            (self._memory, sample.memory_mib),
            (self._energy, sample.energy_mj),
        ):
            if gauge is not None:
                integral.begin()
        self._last = (mono_us, sample)
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
        )

    def _pass(self, before: DeviceSample, after: DeviceSample, interval_us: int) -> None:
        share = before.share_ppm + after.share_ppm
        if before.held_ppm_us is None or after.held_ppm_us is None:
            self._held.add(share * interval_us)
        else:
            self._held.add(2 * max(0, after.held_ppm_us - before.held_ppm_us))
        if before.energy_mj is not None and after.energy_mj is not None:
            self._energy.add(share * max(0, after.energy_mj - before.energy_mj))
        if interval_us > self._longest_gap_us:
            return
        self._watched.add(interval_us)
        if before.busy_ppm is not None and after.busy_ppm is not None:
            self._busy.add((before.busy_ppm + after.busy_ppm) * interval_us)
        if before.memory_mib is not None and after.memory_mib is not None:
            self._memory.add((before.memory_mib + after.memory_mib) * interval_us)
