"""Every metric: contract name, label, unit, direction and definition, in the order of display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from store.reading_columns import HISTOGRAMS

Better = Literal["higher", "lower"]
Kind = Literal["total", "ratio", "maximum", "percentile"]
Style = Literal["count", "number", "rate", "share", "seconds", "usd", "bytes", "joules"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric.

    kind      over                       per
    total     an amount
    ratio     an amount                  an amount; the value is `scale` * over / per
    maximum   a maximum of the window    the value is `scale` * over
    percentile  a histogram              `q` is the quantile

    Amounts are named in store.metrics.amounts. `better` is the direction an operator wants, None
    where there is none. `demand`: it follows how much is asked of an engine that is not saturated,
    so there it says nothing about the engine.
    """

    name: str
    label: str
    unit: str
    better: Better | None
    style: Style
    kind: Kind
    over: str
    per: str = ""
    scale: float = 1.0
    q: float = 0.0
    demand: bool = False

    @property
    def is_difference(self) -> bool:
        """Whether it is compared by its difference: a share, or the mean of a gauge, which may be
        zero. Other ratios are of positive things, and are compared by their quotient."""
        return self.style == "share" or self.per.endswith("_watched_s")


def _total(name: str, label: str, unit: str, style: Style, over: str) -> MetricSpec:
    return MetricSpec(name, label, unit, None, style, "total", over)


def _ratio(
    name: str,
    label: str,
    unit: str,
    style: Style,
    quotient: tuple[str, str],
    *,
    better: Better | None = None,
    scale: float = 1.0,
    demand: bool = False,
) -> MetricSpec:
    over, per = quotient
    return MetricSpec(
        name, label, unit, better, style, "ratio", over, per, scale=scale, demand=demand
    )


_REQUESTS = (
    _total("requests", "requests", "req", "count", "requests"),
    _total("requests_failed", "failed requests", "req", "count", "failed"),
    _ratio(
        "request_rate",
        "requests/s",
        "req/s",
        "rate",
        ("requests", "seconds"),
        better="higher",
        demand=True,
    ),
    _ratio("failed_share", "failed share", "", "share", ("failed", "finished"), better="lower"),
    _ratio(
        "prompt_tokens_per_request",
        "prompt tokens/request",
        "tok/req",
        "number",
        ("request_prompt_tokens", "finished"),
    ),
    _ratio(
        "output_tokens_per_request",
        "output tokens/request",
        "tok/req",
        "number",
        ("request_generation_tokens", "finished"),
    ),
)

_TOKENS = (
    _total("prompt_tokens", "prompt tokens", "tok", "count", "prompt_tokens"),
    _total("cached_prompt_tokens", "cached prompt tokens", "tok", "count", "cached_prompt_tokens"),
    _total("generation_tokens", "output tokens", "tok", "count", "generation_tokens"),
    _ratio(
        "prompt_rate",
        "prompt tok/s",
        "tok/s",
        "rate",
        ("prompt_tokens", "seconds"),
        better="higher",
        demand=True,
    ),
    _ratio(
        "generation_rate",
        "output tok/s",
        "tok/s",
        "rate",
        ("generation_tokens", "seconds"),
        better="higher",
        demand=True,
    ),
    _ratio(
        "cache_hit_rate",
        "cache hit rate",
        "",
        "share",
        ("hit_tokens", "looked_up_tokens"),
        better="higher",
    ),
)

_STATE = (
    _ratio("kv_usage_mean", "KV usage", "", "share", ("kv_usage_s", "kv_usage_watched_s")),
    MetricSpec(
        "kv_usage_max",
        "KV usage, max",
        "",
        None,
        "share",
        "maximum",
        "kv_usage_max_ppm",
        scale=1e-6,
    ),
    _ratio("running_mean", "running", "req", "number", ("running_s", "running_watched_s")),
    MetricSpec("running_max", "running, max", "req", None, "count", "maximum", "running_max"),
    _ratio(
        "waiting_mean",
        "waiting",
        "req",
        "number",
        ("waiting_s", "waiting_watched_s"),
        better="lower",
    ),
    MetricSpec("waiting_max", "waiting, max", "req", None, "count", "maximum", "waiting_max"),
    _total("preemptions", "preemptions", "", "count", "preemptions"),
    _ratio("active_fraction", "active", "", "share", ("active_s", "running_watched_s")),
)

_LATENCY_LABELS = {"ttft": "TTFT", "itl": "ITL", "e2e": "E2E", "queue": "queue"}
_LATENCIES = tuple(
    MetricSpec(
        f"{histogram}_p{percent}",
        f"{_LATENCY_LABELS[histogram]} p{percent}",
        "s",
        "lower",
        "seconds",
        "percentile",
        histogram,
        q=percent / 100,
    )
    for histogram in HISTOGRAMS
    for percent in (50, 95, 99)
)

_PHASES = (
    _ratio(
        "prefill_seconds",
        "prefill/request",
        "s",
        "seconds",
        ("prefill_s", "prefill_count"),
        better="lower",
    ),
    _ratio(
        "decode_seconds",
        "decode/request",
        "s",
        "seconds",
        ("decode_s", "decode_count"),
        better="lower",
    ),
)

_COST = (
    _total("cost_usd", "cost", "USD", "usd", "allocated_usd"),
    _total("active_cost_usd", "active cost", "USD", "usd", "active_usd"),
    _ratio(
        "cost_per_request_usd",
        "cost/request",
        "USD/req",
        "usd",
        ("allocated_usd", "requests"),
        better="lower",
        demand=True,
    ),
    _ratio(
        "active_cost_per_request_usd",
        "active cost/request",
        "USD/req",
        "usd",
        ("active_usd", "requests"),
        better="lower",
    ),
    _ratio(
        "usd_per_million_output_tokens",
        "cost/1M output tok",
        "USD/Mtok",
        "usd",
        ("allocated_usd", "generation_tokens"),
        better="lower",
        scale=1e6,
        demand=True,
    ),
    _ratio(
        "usd_per_million_tokens",
        "cost/1M tok",
        "USD/Mtok",
        "usd",
        ("allocated_usd", "tokens"),
        better="lower",
        scale=1e6,
        demand=True,
    ),
    _ratio(
        "tokens_per_usd",
        "output tok/USD",
        "tok/USD",
        "rate",
        ("generation_tokens", "allocated_usd"),
        better="higher",
        demand=True,
    ),
)

_HARDWARE = (
    _total("energy_j", "energy", "J", "joules", "energy_j"),
    _ratio(
        "joules_per_token",
        "energy/output tok",
        "J/tok",
        "joules",
        ("energy_j", "generation_tokens"),
        better="lower",
        demand=True,
    ),
    _ratio("gpu_utilisation_mean", "GPU busy", "", "share", ("gpu_busy_s", "gpu_watched_s")),
    _ratio("gpu_memory_bytes", "GPU memory", "B", "bytes", ("gpu_byte_s", "gpu_memory_s")),
)

METRICS: tuple[MetricSpec, ...] = (
    *_COST,
    *_REQUESTS,
    *_TOKENS,
    *_LATENCIES,
    *_PHASES,
    *_STATE,
    *_HARDWARE,
)
"""All metrics in the order of display, what matters most first."""

SPECS = {spec.name: spec for spec in METRICS}
"""The same by name."""
