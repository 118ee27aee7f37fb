"""vLLM's metric names over its versions, mapped to the names in `store/reading_columns.py`.

Where there are several names, the first that a page has is read. What changed, and when:

| old name | now | when |
| --- | --- | --- |
| `gpu_cache_usage_perc`, `gpu_prefix_cache_*` | `kv_cache_usage_perc`, `prefix_cache_*` | both in 0.10.2, old gone by 0.12 |
| `gpu_prefix_cache_*` in blocks | in tokens | in 0.8.5 still blocks, as its HELP says |
| `time_per_output_token_seconds` | `inter_token_latency_seconds` | both in 0.10.2, old gone by 0.15 |
| (none) | `prompt_tokens_cached` | by 0.17 |
| (none) | `admission_rejections` | 0.32 |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping

COUNTERS: Mapping[str, tuple[str, ...]] = {
    "prompt_tokens": ("vllm:prompt_tokens_total",),
    "generation_tokens": ("vllm:generation_tokens_total",),
    "prefix_queries": ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
    "prefix_hits": ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
    "cached_prompt_tokens": ("vllm:prompt_tokens_cached_total",),
    "preemptions": ("vllm:num_preemptions_total",),
    "request_prompt_tokens": ("vllm:request_prompt_tokens_sum",),
    "request_generation_tokens": ("vllm:request_generation_tokens_sum",),
    "iteration_tokens": ("vllm:iteration_tokens_total_sum",),
    "iterations": ("vllm:iteration_tokens_total_count",),
    "prefill_count": ("vllm:request_prefill_time_seconds_count",),
    "decode_count": ("vllm:request_decode_time_seconds_count",),
}
"""Whole numbers, summed over the series of an engine. `prefix_hits` stands in for no
`cached_prompt_tokens`: a request that waits for blocks is looked up, and counted, at each step."""

SECONDS: Mapping[str, tuple[str, ...]] = {
    "prefill_us": ("vllm:request_prefill_time_seconds_sum",),
    "decode_us": ("vllm:request_decode_time_seconds_sum",),
}
"""Sums in seconds, kept in microseconds."""

HISTOGRAMS: Mapping[str, tuple[str, ...]] = {
    "ttft": ("vllm:time_to_first_token_seconds",),
    "itl": ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
    "e2e": ("vllm:e2e_request_latency_seconds",),
    "queue": ("vllm:request_queue_time_seconds",),
}

GAUGES: Mapping[str, tuple[str, ...]] = {
    "running": ("vllm:num_requests_running",),
    "waiting": ("vllm:num_requests_waiting",),
    "kv_usage": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
}
"""The usage is a fraction 0..1 in spite of its name."""

FINISHED = "vllm:request_success_total"
FINISHED_LABEL = "finished_reason"
FINISHED_REASONS = ("stop", "length", "abort", "error")
"""Every other reason (`repetition`, …) counts as `requests_other`."""

REJECTIONS = "vllm:admission_rejections_total"
HTTP_REQUESTS = "http_requests_total"
"""Of these two a series appears with its first event: announced by its TYPE line and without any
series is 0."""

PROMPT_BY_SOURCE = "vllm:prompt_tokens_by_source_total"
LOCAL_HIT = "local_cache_hit"
"""The source of the prompt tokens that the engine's own prefix cache had."""

SLEEP_STATE = "vllm:engine_sleep_state"
REPLICA_LABELS = ("ReplicaId", "WorkerId")
"""By what Ray's exporter tells engines apart."""
ROUTER_MARKS = ("vllm_router", "vllm:healthy_pods_total", "vllm:current_qps")
"""What pages of routers in front of engines hold (vllm-router, the production stack's)."""

PROCESS_START = "process_start_time_seconds"
CACHE_CONFIG = "vllm:cache_config_info"
RANK = "engine"
"""The label that tells the engines of a data-parallel server apart."""
NOT_CONFIG = frozenset({RANK, "model_name"})

REQUIRED = ("prompt_tokens", "generation_tokens")
REQUIRED_HISTOGRAM = HISTOGRAMS["e2e"]
"""What every version has from its first page on; the histogram stands near the end. A page without
them is not vLLM's, or not whole."""

PREFIX_COUNTERS = ("prefix_queries", "prefix_hits")


def wanted() -> frozenset[str]:
    """Every sample name that a reading needs."""
    plain_names = (names for table in (COUNTERS, SECONDS, GAUGES) for names in table.values())
    single = (
        FINISHED,
        PROMPT_BY_SOURCE,
        SLEEP_STATE,
        REJECTIONS,
        HTTP_REQUESTS,
        PROCESS_START,
        CACHE_CONFIG,
    )
    parts = (
        f"{name}_{suffix}"
        for names in HISTOGRAMS.values()
        for name in names
        for suffix in ("bucket", "sum", "count")
    )
    return frozenset((*(name for names in plain_names for name in names), *single, *parts))
