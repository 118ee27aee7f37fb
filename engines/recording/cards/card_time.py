"""Samples of a card → its cumulative readings, whoever holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engines.devices.nvml import GpuSample
from engines.devices.nvml.sampling import REASON_BITS
from engines.recording.integrals.integral import Integral, late_us, longest_gap_us
from engines.recording.integrals.known import Known, energy_between
from store.device_columns import (
    CARD_COUNTERS,
    CARD_GAUGES,
    CARD_STEP_MS,
    CAUSES,
    CardReading,
    unknown_column,
)

_MIB = 1 << 20


class _Gauge(NamedTuple):
    """How a gauge is read off a sample, in whole numbers, and how many parts of its integral over
    microseconds, counted at both ends of an interval, make a unit of the ledger."""

    field: str
    scale: float
    parts: int
    is_mean: bool = False


_GAUGES: Mapping[str, _Gauge] = {
    "busy": _Gauge("utilisation", 1e6, 2_000_000),
    "memory": _Gauge("memory_used", 1 / _MIB, 2_000),
    "power": _Gauge("power_mw", 1, 2_000_000),
    "limit": _Gauge("limit_mw", 1, 2_000_000),
    "sm_clock": _Gauge("sm_mhz", 1, 2_000),
    "memory_clock": _Gauge("memory_mhz", 1, 2_000),
    "sm_active": _Gauge("sm_active", 1e6, 2_000_000, is_mean=True),
    "tensor_active": _Gauge("tensor_active", 1e6, 2_000_000, is_mean=True),
    "dram_active": _Gauge("dram_active", 1e6, 2_000_000, is_mean=True),
}
"""`is_mean`: a sample has the mean since the one before, not the value at its instant."""
_COUNTED = ("ecc_corrected", "ecc_uncorrected", "xids")
_BYTES = ("pcie_tx", "pcie_rx", "nvlink_tx", "nvlink_rx")


class CardAccumulator:
    """The readings of one card. `resume` is its last one if it was recorded before; it was present
    in the time since, and nobody knows what it did."""

    def __init__(self, device_id: int, every_s: float, resume: CardReading | None = None) -> None:
        self._device_id = device_id
        self._longest_gap_us = longest_gap_us(every_s)
        self._late_us = late_us(every_s)
        self._resume = resume
        values: Mapping[str, int | None] = resume.values if resume else {}
        self._present = Integral(1_000, values.get("present_ms") or 0)
        self._watched = Integral(1_000, values.get("watched_ms") or 0)
        self._gauges = {
            name: Known(
                _GAUGES[name].parts,
                values.get(column),
                _unknown(values, column, unknown_column(name), "watched_ms"),
            )
            for name, column in CARD_GAUGES.items()
        }
        unknown_ms = _unknown(values, "energy_mj", unknown_column("energy"), "present_ms")
        self._energy = Known(1, values.get("energy_mj"), unknown_ms)
        self._counts: dict[str, int | None] = {
            name: values.get(name) for name in CARD_COUNTERS if name != "energy_mj"
        }
        self._parts: dict[str, int] = {}
        self._seen_us: int | None = None
        self._last: GpuSample | None = None
        self._hottest: int | None = None
        self._ts_ms = 0 if resume is None else resume.ts_ms
        self._is_kept = True

    def add(self, sample: GpuSample | None, ts_ms: int, mono_us: int) -> CardReading:
        """The reading at this instant; `sample` is the card's last one, be it an old one."""
        if self._seen_us is not None:
            self._present.add(mono_us - self._seen_us)
        elif self._resume is not None:
            unseen_us = max(0, ts_ms - self._resume.ts_ms) * 1_000
            self._present.add(unseen_us)
            self._energy.watch(None, unseen_us)
        self._seen_us = mono_us
        if self._is_kept:
            self._hottest = None
        is_new = sample is not None and (self._last is None or sample.at_us > self._last.at_us)
        if sample is not None and is_new:
            self._take(sample)
        silent_us = 0 if self._last is None else mono_us - self._last.at_us
        self._energy.open_us = silent_us if silent_us > self._late_us else 0
        # The wall clock may be set back; rows of a card stay in order all the same.
        ts_ms = max(ts_ms, self._ts_ms + 1)
        self._is_kept = ts_ms // CARD_STEP_MS != self._ts_ms // CARD_STEP_MS
        self._ts_ms = ts_ms
        return CardReading(self._device_id, ts_ms, self._values(), self._hottest)

    def _values(self) -> dict[str, int | None]:
        gauges = {
            column: value
            for name, known in self._gauges.items()
            for column, value in (
                (CARD_GAUGES[name], known.value),
                (unknown_column(name), known.unknown_ms),
            )
        }
        return {
            "present_ms": self._present.value,
            "watched_ms": self._watched.value,
            **gauges,
            **self._counts,
            "energy_mj": self._energy.value,
            unknown_column("energy"): self._energy.unknown_ms,
        }

    def _take(self, sample: GpuSample) -> None:
        before, self._last = self._last, sample
        if sample.temperature_c is not None:
            self._hottest = max(sample.temperature_c, self._hottest or sample.temperature_c)
        if before is not None:
            self._pass(before, sample, sample.at_us - before.at_us)
        for name, known in self._gauges.items():
            if getattr(sample, _GAUGES[name].field) is not None:
                known.begin()
        if sample.energy_mj is not None or sample.power_mw is not None:
            self._energy.begin()
        self._begin_counts(sample)

    def _pass(self, before: GpuSample, after: GpuSample, interval_us: int) -> None:
        is_watched = interval_us <= self._longest_gap_us
        energy_mj = energy_between(
            (before.energy_mj, before.power_mw),
            (after.energy_mj, after.power_mw),
            interval_us if is_watched else None,
        )
        self._energy.watch(energy_mj, interval_us)
        for name in _COUNTED:
            self._count(name, getattr(before, name), getattr(after, name))
        for name in _BYTES:
            field = f"{name}_bytes"
            self._count(f"{name}_kib", getattr(before, field), getattr(after, field), 1024)
        for cause in CAUSES:
            self._throttle(cause, before, after, interval_us if is_watched else None)
        if not is_watched:
            return
        self._watched.add(interval_us)
        for name, known in self._gauges.items():
            known.watch(_amount(_GAUGES[name], before, after, interval_us), interval_us)

    def _throttle(
        self, cause: str, before: GpuSample, after: GpuSample, watched_us: int | None
    ) -> None:
        """By the card's own counter, else by what it said at both ends of a watched interval."""
        name = f"throttled_{cause}_ms"
        first, last = before.throttled_ns.get(cause), after.throttled_ns.get(cause)
        if first is not None and last is not None:
            self._count(name, first, last, 1_000_000)
        elif watched_us is not None and before.reasons is not None and after.reasons is not None:
            bit = REASON_BITS[cause]
            ends = bool(before.reasons & bit) + bool(after.reasons & bit)
            self._grow(name, ends * watched_us, 2_000)

    def _count(self, name: str, first: int | None, last: int | None, parts: int = 1) -> None:
        """What a counter grew by, also over a gap; one that fell began anew with the driver."""
        if first is not None and last is not None:
            self._grow(name, last - first if last >= first else last, parts)

    def _grow(self, name: str, amount: int, parts: int) -> None:
        rest = self._parts.get(name, 0) + amount
        self._parts[name] = rest % parts
        self._counts[name] = (self._counts[name] or 0) + rest // parts

    def _begin_counts(self, sample: GpuSample) -> None:
        """What is told for the first time is 0 so far, not unknown."""
        told = {name: getattr(sample, name) for name in _COUNTED}
        told |= {f"{name}_kib": getattr(sample, f"{name}_bytes") for name in _BYTES}
        told |= {
            f"throttled_{cause}_ms": sample.throttled_ns.get(cause, sample.reasons)
            for cause in CAUSES
        }
        for name, value in told.items():
            if value is not None and self._counts[name] is None:
                self._counts[name] = 0


def _unknown(
    values: Mapping[str, int | None], value: str, unknown: str, until_told: str
) -> int | None:
    """The unknown time of a row; all of it where the value was never told."""
    return values.get(until_told if values.get(value) is None else unknown)


def _amount(gauge: _Gauge, before: GpuSample, after: GpuSample, interval_us: int) -> int | None:
    last: float | None = getattr(after, gauge.field)
    first: float | None = last if gauge.is_mean else getattr(before, gauge.field)
    if first is None or last is None:
        return None
    return (round(first * gauge.scale) + round(last * gauge.scale)) * interval_us
