"""What one reading holds: the columns of the ledger's main table, named once.

A reading is cumulative: every number in it only grows within a run, so the value of anything over
a window is the difference of two rows. All numbers are integers, so differences are exact:
times in milliseconds (`_ms`) or microseconds (`_us`), fractions in parts per million (`_ppm`).
`None` means the engine does not tell it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COUNTERS: tuple[str, ...] = (
    "prompt_tokens",
    "cached_prompt_tokens",
    "generation_tokens",
    "prefix_queries",
    "prefix_hits",
    "preemptions",
    "requests_stop",
    "requests_length",
    "requests_abort",
    "requests_error",
    "requests_other",
    "admission_rejections",
    "http_5xx",
)
"""Counters as the engine reports them, summed over its series. `requests_*` are finished requests
by reason; `cached_prompt_tokens` are prompt tokens answered from the prefix cache."""

TOTALS: tuple[str, ...] = (
    "prefill_us",
    "prefill_count",
    "decode_us",
    "decode_count",
    "request_prompt_tokens",
    "request_generation_tokens",
    "iteration_tokens",
    "iterations",
)
"""Sums and counts of histograms whose buckets nobody asks for. `request_prompt_tokens` and
`request_generation_tokens` count finished requests only: divided by them they are the
workload's mix."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """The columns of something that is there now: its time integral, its maximum, and for how long
    somebody watched and it was unknown.

    It counts requests (`_ms`, request milliseconds), or is a `share` 0..1, which is kept in parts
    per million (`_us`, ∫ share dt in µs).
    """

    integral: str
    maximum: str
    unknown: str
    share: bool = False


GAUGES: Mapping[str, Gauge] = {
    "running": Gauge("running_ms", "running_max", "running_unknown_ms"),
    "waiting": Gauge("waiting_ms", "waiting_max", "waiting_unknown_ms"),
    "kv_usage": Gauge("kv_usage_us", "kv_usage_max_ppm", "kv_usage_unknown_ms", share=True),
}

INTEGRALS: tuple[str, ...] = (
    "watched_ms",
    "active_ms",
    *(gauge.integral for gauge in GAUGES.values()),
    *(gauge.unknown for gauge in GAUGES.values()),
)
"""Time integrals. `watched_ms` is the time two good scrapes enclose; `active_ms` the part of it
with a request in flight; the others are of gauges."""

MAXIMA: tuple[str, ...] = tuple(gauge.maximum for gauge in GAUGES.values())
"""The highest value since the row before; thinning folds a dropped row's maxima into the next."""

HISTOGRAMS: tuple[str, ...] = ("ttft", "itl", "e2e", "queue")
"""Latency histograms kept with their buckets (seconds): time to first token, inter-token latency,
end-to-end latency, queue time."""

BUCKET_SLOTS = 24
"""Columns for finite buckets per histogram. vLLM's largest has 22; which bound a slot stands for is
kept with the run."""

VALUE_COLUMNS: tuple[str, ...] = COUNTERS + TOTALS + INTEGRALS + MAXIMA
CUMULATIVE_VALUES: tuple[str, ...] = COUNTERS + TOTALS + INTEGRALS


def histogram_columns(name: str) -> tuple[str, ...]:
    """Column names of one histogram: count, sum in µs, then a column per finite bucket."""
    return (
        f"{name}_count",
        f"{name}_sum_us",
        *(f"{name}_b{slot:02d}" for slot in range(BUCKET_SLOTS)),
    )


READING_COLUMNS: tuple[str, ...] = (
    "run_id",
    "ts_ms",
    *VALUE_COLUMNS,
    *(column for name in HISTOGRAMS for column in histogram_columns(name)),
)


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram at one instant, or the difference of two.

    `buckets[i]` counts observations in (bounds[i-1], bounds[i]], not cumulatively over i; there is
    one per finite bound (at most `BUCKET_SLOTS`). What lies above the last bound is
    `count - sum(buckets)`. `sum_us` is the sum of the observations in microseconds, None where what
    the engine tells of it cannot be true.
    """

    count: int
    sum_us: int | None
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One cumulative row of an engine's run at one instant.

    `values` has a key for each of `VALUE_COLUMNS`; `histograms` one for each of `HISTOGRAMS`.
    """

    run_id: int
    ts_ms: int
    values: Mapping[str, int | None]
    histograms: Mapping[str, Histogram | None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The finite bucket bounds (seconds, ascending) of each histogram of a run."""

    by_histogram: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
