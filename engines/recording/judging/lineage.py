"""Whether one engine answers at an address, or several in turn.

Behind a load balancer, or several workers that share a port, each page may be another engine's.
Read as one they grow as no engine can, fall, and grow again. What tells them apart:

- a process start that was there before, or that is older than the one of the page before it while
  that one was read a moment ago;
- where pages tell no start (several API servers): counters that jump and are back, or that go on
  from where they had been before they fell; or more requests finished that lasted longer than the
  time between two pages than were in flight at the first of them.

A jump is held back for one page, so that it is never stored before it is known what it was:
readings are cumulative, and nothing is lost by one less.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from engines.metrics_page import NotMetrics, Sample
from engines.recording.judging.continuity import fell_together
from engines.recording.judging.lives import START_TOLERANCE_S
from store.reading_columns import Histogram

QUIET_US = 60_000_000
"""For how long no sign of a second engine may be seen until one is believed to answer alone."""
_MOMENT_US = 3_000_000
"""No engine ends, starts and serves in less."""
_FORMER = 8
_JUMP = 20
"""A jump is growth of so many times what was seen before, and of more tokens a second than this:"""
_JUMP_TOKENS_PER_S = 20_000
_IN_FLIGHT_SLACK, _UNSEEN = 4, 64
"""How many times more requests may be in flight than the gauges say, and how many on top: those
that the API server has and the engine not yet."""

Verdict = Literal["goes on", "hold back", "alone again"]


class SeveralEngines(NotMetrics):
    """Pages of several engines come from one address."""

    def __init__(self) -> None:
        super().__init__("several engines answer in turn at this address: give each one's own")


class Lineage:
    """Sees every page of one address in their order."""

    def __init__(self) -> None:
        self._last: Sample | None = None
        self._last_us = 0
        self._held: Sample | None = None
        self._former: deque[Sample] = deque(maxlen=_FORMER)
        self._highest_rate = 0.0
        self._sign_us: int | None = None

    def judge(self, sample: Sample, mono_us: int) -> Verdict:
        """What this page is; raises `SeveralEngines` from the first sign until `QUIET_US` after the
        last. `mono_us` is the monotonic time at which it was read."""
        last, interval_us = self._last, mono_us - self._last_us
        if last is not None and self._is_another(last, sample, interval_us):
            self._sign_us = mono_us
        elif last is not None and self._sign_us is None and self._holds(last, sample, interval_us):
            return "hold back"
        if last is not None and _is_another_life(last, sample):
            self._former.append(last)
            self._highest_rate = 0.0
        self._last, self._last_us, self._held = sample, mono_us, None
        if self._sign_us is None:
            return "goes on"
        if mono_us - self._sign_us < QUIET_US:
            raise SeveralEngines
        self._sign_us = None
        return "alone again"

    def _is_another(self, last: Sample, sample: Sample, interval_us: int) -> bool:
        started, starts = last.process_start_s, sample.process_start_s
        if started is not None and starts is not None:
            if starts == started:
                return False
            known_before = any(starts == former.process_start_s for former in self._former)
            return known_before or (
                starts < started - START_TOLERANCE_S and interval_us < _MOMENT_US
            )
        if started is not None or starts is not None:
            return False
        held = self._held
        if held is not None and fell_together(held, sample) and not fell_together(last, sample):
            return True
        if _finished_too_many(last, sample, interval_us):
            return True
        return self._is_jump(last, sample, interval_us) and any(
            not fell_together(former, sample) and _tokens(former) > _tokens(last)
            for former in self._former
        )

    def _holds(self, last: Sample, sample: Sample, interval_us: int) -> bool:
        """Whether to wait for the next page; one page in a row at most."""
        tells_start = sample.process_start_s is not None
        if not tells_start and self._held is None and self._is_jump(last, sample, interval_us):
            self._held = sample
            return True
        self._highest_rate = max(self._highest_rate, _rate(last, sample, interval_us))
        return False

    def _is_jump(self, last: Sample, sample: Sample, interval_us: int) -> bool:
        rate = _rate(last, sample, interval_us)
        return rate > max(_JUMP_TOKENS_PER_S, _JUMP * self._highest_rate)


def _is_another_life(last: Sample, sample: Sample) -> bool:
    started, starts = last.process_start_s, sample.process_start_s
    if started is not None and starts is not None:
        return started != starts
    return fell_together(last, sample)


def _finished_too_many(last: Sample, sample: Sample, interval_us: int) -> bool:
    """Whether more requests that began before the last page have finished than there were."""
    before, after = last.histograms["e2e"], sample.histograms["e2e"]
    bounds = sample.bounds.by_histogram.get("e2e", ())
    if before is None or after is None or last.in_flight is None or len(bounds) == 0:
        return False
    longer = _longer(after, bounds, interval_us) - _longer(before, bounds, interval_us)
    return longer > _IN_FLIGHT_SLACK * last.in_flight + _UNSEEN


def _longer(latencies: Histogram, bounds: tuple[float, ...], interval_us: int) -> int:
    """Observations that surely lasted longer than an interval."""
    short = sum(
        count
        for lower, count in zip((0.0, *bounds), latencies.buckets, strict=False)
        if lower * 1e6 < interval_us
    )
    return latencies.count - short


def _tokens(sample: Sample) -> int:
    parts = (sample.counters["prompt_tokens"], sample.counters["generation_tokens"])
    return sum(part or 0 for part in parts)


def _rate(last: Sample, sample: Sample, interval_us: int) -> float:
    """Tokens per second between two pages."""
    return (_tokens(sample) - _tokens(last)) / max(interval_us, 1) * 1e6
