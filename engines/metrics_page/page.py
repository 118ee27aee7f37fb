"""A page of metrics → `Sample`.

Each number is judged alone: one that cannot be true is left out, with the reason. Only what is no
whole page raises `NotMetrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engines.metrics_page import vllm_names as names
from engines.metrics_page.layout import Indices, Layout, lay_out
from engines.metrics_page.numbers import Doubtful, microseconds, present, scaled, share, whole
from engines.metrics_page.parse import Parser, Series
from engines.metrics_page.sample import ASLEEP, Sample, sum_of
from store.reading_columns import COUNTERS, GAUGES, HISTOGRAMS, TOTALS, Histogram

RAY_MARK = b"ray_vllm"
"""What the names of vLLM's metrics begin with on a page of Ray's exporter."""
_YEAR_3000_S = 32_503_680_000


class PageReader:
    """Reads the pages of one engine, quickly from the second on. For one thread."""

    def __init__(self) -> None:
        self._parser = Parser(names.wanted())
        self._series: list[Series] = []
        self._layout: Layout | None = None

    def read(self, body: bytes) -> Sample:
        """The sample of one page; raises `NotMetrics`."""
        body = _under_own_names(body)
        samples = self._parser.parse(body)
        if self._layout is None or samples.series != self._series:
            self._layout = lay_out(samples.series, body.decode())
            self._series = samples.series
        return _sample(self._layout, samples.values)


def _under_own_names(body: bytes) -> bytes:
    """A page with vLLM's own names, which Ray's exporter has changed."""
    if RAY_MARK not in body:
        return body
    return body.replace(b"ray_vllm:", b"vllm:").replace(b"ray_vllm_", b"vllm:")


def read(body: bytes) -> Sample:
    """The sample of a page read once. Raises `NotMetrics`."""
    return PageReader().read(body)


class _Judged:
    """Reads numbers of one page, and notes why those are left out that cannot be true."""

    def __init__(self, layout: Layout, values: Sequence[float]) -> None:
        self.doubts: dict[str, str] = {}
        self._layout = layout
        self._values = _without_torn(layout, values)

    def count(self, name: str) -> int | None:
        """A counter, in tokens where it counts blocks."""
        factor = self._layout.scale.get(name, 1)
        if factor is None:
            return None
        return self._read(
            name,
            lambda values, at: scaled(whole(values, at), factor),
            self._layout.counters.get(name),
        )

    def seconds(self, name: str) -> int | None:
        """A sum of seconds, in µs."""
        return self._read(name, microseconds, self._layout.seconds.get(name))

    def gauge(self, name: str) -> int | None:
        """What is there now."""
        read = share if GAUGES[name].share else present
        return self._read(name, read, self._layout.gauges.get(name))

    def histogram(self, name: str) -> Histogram | None:
        """One with its sum, or without it."""
        layout = self._layout.histograms.get(name)
        if layout is None:
            return None
        try:
            count, buckets = layout.read_counts(self._values)
        except Doubtful as doubt:
            self._doubt(name, doubt)
            return None
        return Histogram(count, self._read(sum_of(name), microseconds, layout.sums), buckets)

    def _read(
        self, name: str, read: Callable[[Sequence[float], Indices], int], at: Indices | None
    ) -> int | None:
        if at is None:
            return None
        try:
            return read(self._values, at)
        except Doubtful as doubt:
            self._doubt(name, doubt)
            return None

    def _doubt(self, name: str, doubt: Doubtful) -> None:
        self.doubts[name] = f"{self._layout.sources[name]} {doubt}: left out"


def _sample(layout: Layout, values: Sequence[float]) -> Sample:
    judged = _Judged(layout, values)
    if layout.awake and not any(values[index] for index in layout.awake):
        judged.doubts[ASLEEP] = "the engine sleeps: it answers no request until it is woken"
    return Sample(
        counters={
            **{name: judged.count(name) for name in (*COUNTERS, *TOTALS)},
            **{name: judged.seconds(name) for name in names.SECONDS},
        },
        gauges={name: judged.gauge(name) for name in GAUGES},
        histograms={name: judged.histogram(name) for name in HISTOGRAMS},
        bounds=layout.bounds,
        process_start_s=_start(layout.process_start, values),
        model=layout.model,
        cache_config=layout.cache_config,
        doubts=judged.doubts,
        sources=layout.sources,
        parts=layout.parts,
        ranks=layout.ranks,
    )


def _without_torn(layout: Layout, values: Sequence[float]) -> Sequence[float]:
    """The values with no number where a series stands twice and says two things."""
    torn = {first for first, again in layout.twins if values[first] != values[again]}
    return (
        [math.nan if at in torn else value for at, value in enumerate(values)] if torn else values
    )


def _start(indices: Indices, values: Sequence[float]) -> float | None:
    if not indices:
        return None
    start = values[indices[0]]
    return start if 0 <= start < _YEAR_3000_S else None
