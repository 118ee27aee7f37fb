"""A page of metrics → `Sample`. What is not a whole, sane page raises `NotMetrics`."""

from __future__ import annotations

from collections.abc import Sequence

from engines.metrics_page import vllm_names as names
from engines.metrics_page.errors import NotMetrics
from engines.metrics_page.layout import Indices, Layout, lay_out
from engines.metrics_page.numbers import microseconds, present, scaled, share, whole
from engines.metrics_page.parse import Parser, Series
from engines.metrics_page.sample import Sample
from store.reading_columns import COUNTERS, GAUGES, HISTOGRAMS, TOTALS

_YEAR_3000_S = 32_503_680_000


class PageReader:
    """Reads the pages of one engine, quickly from the second on. For one thread."""

    def __init__(self) -> None:
        self._parser = Parser(names.wanted())
        self._series: list[Series] = []
        self._layout: Layout | None = None

    def read(self, body: bytes) -> Sample:
        """The sample of one page; raises `NotMetrics`."""
        samples = self._parser.parse(body)
        if self._layout is None or samples.series != self._series:
            self._layout = lay_out(samples.series, body.decode())
            self._series = samples.series
        return _sample(self._layout, samples.values)


def read(body: bytes) -> Sample:
    """The sample of a page read once. Raises `NotMetrics`."""
    return PageReader().read(body)


def _sample(layout: Layout, values: Sequence[float]) -> Sample:
    counters: dict[str, int | None] = dict.fromkeys((*COUNTERS, *TOTALS))
    for name, indices in layout.counters.items():
        factor = layout.scale.get(name, 1)
        number = whole(values, indices, name)
        counters[name] = None if factor is None else scaled(number, factor, name)
    for name, indices in layout.seconds.items():
        counters[name] = microseconds(values, indices, name)
    return Sample(
        counters=counters,
        gauges={
            name: _gauge(name, layout.gauges[name], values) if name in layout.gauges else None
            for name in GAUGES
        },
        histograms={
            name: layout.histograms[name].read(values) if name in layout.histograms else None
            for name in HISTOGRAMS
        },
        bounds=layout.bounds,
        process_start_s=_start(layout.process_start, values),
        model=layout.model,
        cache_config=layout.cache_config,
    )


def _gauge(name: str, indices: Indices, values: Sequence[float]) -> int:
    read = share if GAUGES[name].share else present
    return read(values, indices, name)


def _start(indices: Indices, values: Sequence[float]) -> float | None:
    if not indices:
        return None
    start = values[indices[0]]
    if not 0 <= start < _YEAR_3000_S:
        raise NotMetrics(f"{names.PROCESS_START} is {start:g}")
    return start
