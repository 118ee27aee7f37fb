"""Samples → cumulative readings: the counters of the engine and time integrals of its gauges.

Between two scrapes of one run, a gauge is taken to go straight from one value to the other (the
trapezoid rule). Time is the monotonic clock's. All arithmetic is on integers, kept finer than the
ledger's units, so that rounding never adds up. Over a gap longer than `longest_gap_us` nobody
watched: no integral grows there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.metrics_page.sample import Sample
from engines.recording.busy_time import ActiveTime
from engines.recording.integrals.integral import Integral, longest_gap_us
from store.reading_columns import GAUGES, Reading

_COUNT_PARTS = 2_000
"""Gauges are added up twice (both ends of an interval): half microseconds of a millisecond."""
_SHARE_PARTS = 2_000_000
"""Half microseconds of a millionth in a microsecond."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """A sample with its instant: wall clock in ms since the epoch, monotonic clock in µs."""

    at_ms: int
    mono_us: int
    sample: Sample


class Accumulator:
    """The readings of one run. `resume` is the run's last reading if it was recorded before."""

    def __init__(self, run_id: int, every_s: float, resume: Reading | None = None) -> None:
        self.run_id = run_id
        self._longest_gap_us = longest_gap_us(every_s)
        self._last: Scrape | None = None
        self._ts_ms = -1 if resume is None else resume.ts_ms
        values: Mapping[str, int | None] = {} if resume is None else resume.values
        self._watched = Integral(1_000, values.get("watched_ms"))
        self._active = Integral(1_000, values.get("active_ms"))
        self._gauges = {
            name: Integral(
                _SHARE_PARTS if gauge.share else _COUNT_PARTS, values.get(gauge.integral)
            )
            for name, gauge in GAUGES.items()
        }
        self._unknown = {
            name: Integral(1_000, values.get(gauge.unknown)) for name, gauge in GAUGES.items()
        }
        for integral in (self._watched, *self._unknown.values()):
            integral.begin()
        self._activity = ActiveTime()

    def add(self, scrape: Scrape) -> Reading:
        """The reading at this scrape, which must be of the same run as the one before."""
        sample = scrape.sample
        before, self._last = self._last, scrape
        if before is not None:
            interval_us = scrape.mono_us - before.mono_us
            if interval_us <= self._longest_gap_us:
                self._watch(before.sample, sample, interval_us)
        self._begin(sample)
        # The wall clock may be set back; rows of a run stay in order all the same.
        self._ts_ms = max(scrape.at_ms, self._ts_ms + 1)
        return Reading(
            run_id=self.run_id,
            ts_ms=self._ts_ms,
            values={
                **sample.counters,
                "watched_ms": self._watched.value,
                "active_ms": self._active.value,
                **{GAUGES[name].integral: each.value for name, each in self._gauges.items()},
                **{GAUGES[name].unknown: each.value for name, each in self._unknown.items()},
                **{GAUGES[name].maximum: value for name, value in sample.gauges.items()},
            },
            histograms=sample.histograms,
        )

    def _watch(self, before: Sample, after: Sample, interval_us: int) -> None:
        self._watched.add(interval_us)
        for name, integral in self._gauges.items():
            at_first, at_last = before.gauges[name], after.gauges[name]
            if at_first is None or at_last is None:
                self._unknown[name].add(interval_us)
            else:
                integral.add((at_first + at_last) * interval_us)
        in_flight_before, in_flight_after = before.in_flight, after.in_flight
        if in_flight_before is not None and in_flight_after is not None:
            latencies = before.histograms["e2e"], after.histograms["e2e"]
            self._active.add(
                self._activity.between(in_flight_before, in_flight_after, latencies, interval_us)
            )

    def _begin(self, sample: Sample) -> None:
        for name, integral in self._gauges.items():
            if sample.gauges[name] is not None:
                integral.begin()
        if sample.in_flight is not None:
            self._active.begin()
