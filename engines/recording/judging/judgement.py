"""What of an engine's pages is believed within one life of it.

Counters of one process never fall. One that does while the others go on is wrong, and stays left
out until the next life: what it tells afterwards has no beginning. That it fell is no proof of a
restart (`engines.recording.judging.continuity` says what is one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engines.metrics_page.sample import Sample, sum_of
from engines.metrics_page.vllm_names import SECONDS
from store.reading_columns import COUNTERS, TOTALS, Histogram, Reading


class Judgement:
    """Judges the samples of one life in their order; `resume` is its last stored reading."""

    def __init__(self, resume: Reading | None = None) -> None:
        self._counters: dict[str, int] = {}
        self._histograms: dict[str, Histogram] = {}
        self._given_up: dict[str, str] = {}
        self._sums_left_out: frozenset[str] = frozenset()
        if resume is not None:
            self._resume(resume)

    def believe(self, sample: Sample) -> Sample:
        """The sample without what fell, with the reasons among its doubts."""
        if self._sums_left_out:
            self._leave_out_sums(sample)
        doubts = dict(sample.doubts)
        counters = {
            name: self._counter(name, value, sample.sources, doubts)
            for name, value in sample.counters.items()
        }
        histograms = {
            name: self._histogram(name, value, sample.sources, doubts)
            for name, value in sample.histograms.items()
        }
        if doubts == sample.doubts:
            return sample
        return replace(sample, counters=counters, histograms=histograms, doubts=doubts)

    def _resume(self, last: Reading) -> None:
        known = {name: last.values.get(name) for name in (*COUNTERS, *TOTALS)}
        self._counters = {name: value for name, value in known.items() if value is not None}
        self._histograms = {
            name: histogram for name, histogram in last.histograms.items() if histogram is not None
        }
        sums = {sum_of(name) for name, each in self._histograms.items() if each.sum_us is None}
        self._sums_left_out = frozenset(sums | {name for name in SECONDS if known[name] is None})

    def _leave_out_sums(self, sample: Sample) -> None:
        """Sums of seconds that the last reading had not are still without a beginning."""
        for name in self._sums_left_out:
            if name in sample.sources:
                self._given_up[name] = (
                    f"{sample.sources[name]} was not to be believed before: left out"
                )
        self._sums_left_out = frozenset()

    def _counter(
        self, name: str, value: int | None, sources: Mapping[str, str], doubts: dict[str, str]
    ) -> int | None:
        if value is not None and value < self._counters.get(name, 0):
            self._give_up(name, sources)
        if name in self._given_up:
            doubts.setdefault(name, self._given_up[name])
            return None
        if value is not None:
            self._counters[name] = value
        return value

    def _histogram(
        self, name: str, now: Histogram | None, sources: Mapping[str, str], doubts: dict[str, str]
    ) -> Histogram | None:
        before = self._histograms.get(name)
        if now is not None and before is not None and _has_fallen(before, now):
            self._give_up(name, sources)
        if name in self._given_up:
            doubts.setdefault(name, self._given_up[name])
            return None
        if now is None:
            return None
        last_sum = None if before is None else before.sum_us
        if now.sum_us is not None and last_sum is not None and now.sum_us < last_sum:
            self._give_up(sum_of(name), sources)
        if sum_of(name) in self._given_up:
            doubts.setdefault(sum_of(name), self._given_up[sum_of(name)])
            now = replace(now, sum_us=None)
        kept_sum = last_sum if now.sum_us is None else now.sum_us
        self._histograms[name] = replace(now, sum_us=kept_sum)
        return now

    def _give_up(self, name: str, sources: Mapping[str, str]) -> None:
        self._given_up[name] = f"{sources.get(name, name)} fell while the engine went on: left out"


def _has_fallen(before: Histogram, now: Histogram) -> bool:
    pairs = zip(before.buckets, now.buckets, strict=False)
    return now.count < before.count or any(new < old for old, new in pairs)
