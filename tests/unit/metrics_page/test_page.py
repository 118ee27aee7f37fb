"""Pages of each era → our names, checked against values that prometheus-client reads."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engines.metrics_page import NotMetrics, PageReader, read
from engines.metrics_page import vllm_names as names
from engines.metrics_page.buckets import thinned
from store.reading_columns import BUCKET_SLOTS, COUNTERS, GAUGES, HISTOGRAMS, TOTALS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "metrics"
PAGES = sorted(FIXTURES.glob("vllm-*.txt"))
REAL = (FIXTURES / "vllm-0.32.0.txt").read_bytes()
LABELS = '{engine="0",model_name="m"}'


def total(text: str, name: str, **labels: str) -> float | None:
    """The sum of a sample's series with these labels; None if there are none."""
    values = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(values) if values else None


BEFORE_017 = ("vllm-0.8.5", "vllm-0.10.2", "vllm-0.12.0")


def small(extra: str = "", **counters: object) -> bytes:
    """The least that is a whole page, with values to try out."""
    values = {"prompt_tokens": 10, "generation_tokens": 20, **counters}
    lines = [f"vllm:{name}_total{LABELS} {value}" for name, value in values.items()]
    lines += histogram("e2e_request_latency_seconds", {"0.3": 1, "+Inf": 2}, 2, 1.5)
    return ("\n".join(lines) + "\n" + extra).encode()


def histogram(
    name: str, buckets: dict[str, float], count: float, total: float, engine: str = "0"
) -> list[str]:
    labels = f'engine="{engine}",model_name="m"'
    return [
        *(f'vllm:{name}_bucket{{{labels},le="{le}"}} {n}' for le, n in buckets.items()),
        f"vllm:{name}_count{{{labels}}} {count}",
        f"vllm:{name}_sum{{{labels}}} {total}",
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_era_tells_what_it_has(path: Path) -> None:
    text = path.read_text()
    sample = read(text.encode())
    assert set(sample.counters) == {*COUNTERS, *TOTALS}
    assert set(sample.histograms) == set(HISTOGRAMS)
    missing = {name for name, value in sample.counters.items() if value is None}
    since_032 = {"admission_rejections"} if "0.32" not in path.stem else set()
    since_017 = {"cached_prompt_tokens"} if path.stem in BEFORE_017 else set()
    assert missing == since_032 | since_017
    assert all(sample.histograms.values())
    assert sample.counters["prompt_tokens"] == total(text, "vllm:prompt_tokens_total")
    assert sample.counters["generation_tokens"] == total(text, "vllm:generation_tokens_total")
    assert sample.counters["preemptions"] == total(text, "vllm:num_preemptions_total")
    assert sample.counters["iterations"] == total(text, "vllm:iteration_tokens_total_count")
    assert sample.counters["iteration_tokens"] == total(text, "vllm:iteration_tokens_total_sum")
    decode_s = total(text, "vllm:request_decode_time_seconds_sum")
    assert decode_s is not None
    assert sample.counters["decode_us"] == pytest.approx(decode_s * 1e6, abs=1)
    assert sample.gauges["running"] == total(text, "vllm:num_requests_running")
    assert sample.gauges["waiting"] == total(text, "vllm:num_requests_waiting")
    assert sample.process_start_s == total(text, "process_start_time_seconds")
    assert sample.cache_config["enable_prefix_caching"] == "True"
    finished = [sample.counters[name] for name in COUNTERS if name.startswith("requests_")]
    assert sum(value or 0 for value in finished) == total(text, "vllm:request_success_total")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("ours", "names"),
    [
        ("ttft", ["time_to_first_token_seconds"]),
        ("itl", ["inter_token_latency_seconds", "time_per_output_token_seconds"]),
        ("e2e", ["e2e_request_latency_seconds"]),
        ("queue", ["request_queue_time_seconds"]),
    ],
)
def test_histograms_of_every_era(path: Path, ours: str, names: list[str]) -> None:
    text = path.read_text()
    sample = read(text.encode())
    name = next(f"vllm:{name}" for name in names if f"vllm:{name}_count" in text)
    found = sample.histograms[ours]
    assert found is not None
    assert found.count == total(text, f"{name}_count")
    assert found.sum_us == pytest.approx((total(text, f"{name}_sum") or 0) * 1e6, abs=1)
    bounds = sample.bounds.by_histogram[ours]
    assert len(bounds) == len(found.buckets)
    for index, bound in enumerate(bounds):
        assert sum(found.buckets[: index + 1]) == total(text, f"{name}_bucket", le=str(bound))


@pytest.mark.parametrize(
    ("version", "cached", "queries", "usage", "factor"),
    [
        ("0.8.5", None, "gpu_prefix_cache_queries", "gpu_cache", 16),
        ("0.10.2", None, "prefix_cache_queries", "kv_cache", 1),
        ("0.12.0", None, "prefix_cache_queries", "kv_cache", 1),
        ("0.17.1", "prompt_tokens_by_source", "prefix_cache_queries", "kv_cache", 1),
        ("0.20.2", "prompt_tokens_by_source", "prefix_cache_queries", "kv_cache", 1),
        ("0.32.0", "prompt_tokens_by_source", "prefix_cache_queries", "kv_cache", 1),
    ],
)
def test_cache_names_and_units(
    version: str, cached: str | None, queries: str, usage: str, factor: int
) -> None:
    """0.8 counts the prefix cache in blocks, later versions in tokens; we always in tokens."""
    text = (FIXTURES / f"vllm-{version}.txt").read_text()
    sample = read(text.encode())
    hits = None if cached is None else total(text, f"vllm:{cached}_total", source=names.LOCAL_HIT)
    asked = total(text, f"vllm:{queries}_total")
    assert asked is not None
    assert sample.counters["cached_prompt_tokens"] == hits
    assert sample.counters["prefix_hits"] is not None
    assert sample.counters["prefix_queries"] == asked * factor
    mean = (total(text, f"vllm:{usage}_usage_perc") or 0) / (2 if version == "0.12.0" else 1)
    assert sample.gauges["kv_usage"] == round(mean * 1e6)


def test_series_of_several_engines_add_up() -> None:
    lines = [
        *histogram("time_to_first_token_seconds", {"0.1": 1, "0.5": 3, "+Inf": 4}, 4, 1.25),
        *histogram("time_to_first_token_seconds", {"0.1": 0, "0.5": 5, "+Inf": 9}, 9, 2.5, "1"),
        'vllm:prompt_tokens_total{engine="1",model_name="m"} 5',
        'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.2',
        'vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.6',
    ]
    sample = read(small("\n".join(lines) + "\n"))
    ttft = sample.histograms["ttft"]
    assert ttft is not None
    assert (ttft.count, ttft.sum_us, ttft.buckets) == (13, 3_750_000, (1, 7))
    assert sample.counters["prompt_tokens"] == 15
    assert sample.gauges["kv_usage"] == 400_000


def test_bounds_not_shared_by_all_series_are_dropped() -> None:
    lines = [
        *histogram("time_to_first_token_seconds", {"0.1": 1, "0.5": 3, "+Inf": 4}, 4, 1),
        *histogram("time_to_first_token_seconds", {"0.2": 2, "0.5": 5, "+Inf": 9}, 9, 1, "1"),
    ]
    sample = read(small("\n".join(lines) + "\n"))
    ttft = sample.histograms["ttft"]
    assert ttft is not None
    assert sample.bounds.by_histogram["ttft"] == (0.5,)
    assert ttft.buckets == (8,)
    assert ttft.count == 13


def test_more_bounds_than_slots_lose_resolution_only() -> None:
    buckets = {f"{bound}.0": bound for bound in range(1, 41)} | {"+Inf": 50}
    lines = histogram("time_to_first_token_seconds", buckets, 50, 900)
    sample = read(small("\n".join(lines) + "\n"))
    ttft = sample.histograms["ttft"]
    bounds = sample.bounds.by_histogram["ttft"]
    assert ttft is not None
    assert len(bounds) == len(ttft.buckets) == BUCKET_SLOTS
    assert (bounds[0], bounds[-1]) == (1.0, 40.0)
    for index, bound in enumerate(bounds):
        assert sum(ttft.buckets[: index + 1]) == bound


@pytest.mark.parametrize("count", [0, 1, 23, 24, 25, 26, 47, 48, 100])
def test_thinned_bounds_are_distinct(count: int) -> None:
    kept = thinned(tuple(float(bound) for bound in range(count)))
    assert len(set(kept)) == len(kept) == min(count, BUCKET_SLOTS)
    assert kept == tuple(sorted(kept))


def test_missing_is_none_never_zero() -> None:
    sample = read(small())
    told = {"prompt_tokens", "generation_tokens"}
    assert {name for name, value in sample.counters.items() if value is not None} == told
    assert sample.gauges == dict.fromkeys(GAUGES)
    assert sample.histograms["ttft"] is None
    assert sample.process_start_s is None
    assert sample.cache_config == {}


def test_announced_events_that_never_happened_are_zero() -> None:
    announced = "# TYPE http_requests_total counter\n# TYPE other gauge\nother 1\n"
    assert read(small(announced)).counters["http_5xx"] == 0
    cut_after_its_type = "# TYPE other gauge\n# TYPE http_requests_total counter\n"
    assert read(small(cut_after_its_type)).counters["http_5xx"] is None
    happened = 'http_requests_total{status="2xx"} 9\nhttp_requests_total{status="5xx"} 2\n'
    assert read(small(happened)).counters["http_5xx"] == 2


def test_blocks_of_unknown_size_are_unknown() -> None:
    page = small(
        "# HELP vllm:gpu_prefix_cache_hits_total in terms of number of cached blocks.\n"
        f"vllm:gpu_prefix_cache_hits_total{LABELS} 7\n"
    )
    assert read(page).counters["prefix_hits"] is None
    assert read(page).counters["cached_prompt_tokens"] is None


def test_the_second_page_is_read_like_the_first() -> None:
    reader = PageReader()
    assert reader.read(REAL) == read(REAL)
    later = REAL.replace(b"} 143094.0\n", b"} 143095.0\n")
    assert reader.read(later) == read(later) != read(REAL)
    other = (FIXTURES / "vllm-0.10.2.txt").read_bytes()
    assert reader.read(other) == read(other)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"go_goroutines 12\n", "without vLLM's"),
        (b"vllm:num_requests_running 12\n", "no vllm:prompt_tokens_total"),
        (small().partition(b"vllm:e2e")[0], "no vllm:e2e"),
    ],
)
def test_what_is_no_whole_page_is_refused(page: bytes, reason: str) -> None:
    with pytest.raises(NotMetrics) as caught:
        read(page)
    assert reason in caught.value.what


@pytest.mark.parametrize(
    ("page", "what", "reason"),
    [
        (small(prompt_tokens="NaN"), "prompt_tokens", "is no number"),
        (small(prompt_tokens=-1), "prompt_tokens", "is negative"),
        (small(prompt_tokens=1.5), "prompt_tokens", "is no whole number"),
        (small(prompt_tokens="+Inf"), "prompt_tokens", "is no number"),
        (small(prompt_tokens="1e30"), "prompt_tokens", "is too large"),
        (small(f"vllm:num_requests_running{LABELS} -1\n"), "running", "is negative"),
        (small(f"vllm:num_requests_running{LABELS} NaN\n"), "running", "is no number"),
        (small(f"vllm:num_requests_running{LABELS} 1e9\n"), "running", "than any engine"),
        (small(f"vllm:kv_cache_usage_perc{LABELS} NaN\n"), "kv_usage", "outside 0 to 1"),
        (small(f"vllm:kv_cache_usage_perc{LABELS} -0.39\n"), "kv_usage", "outside 0 to 1"),
        (small(f"vllm:kv_cache_usage_perc{LABELS} 1.02\n"), "kv_usage", "outside 0 to 1"),
        (small(f"vllm:request_decode_time_seconds_sum{LABELS} NaN\n"), "decode_us", "no number"),
        (small(f"vllm:request_decode_time_seconds_sum{LABELS} -2\n"), "decode_us", "is negative"),
        (small(f"vllm:prompt_tokens_total{LABELS} 11\n"), "prompt_tokens", "is no number"),
    ],
)
def test_what_cannot_be_true_is_left_out_alone(page: bytes, what: str, reason: str) -> None:
    sample = read(page)
    assert {**sample.counters, **sample.gauges}[what] is None
    assert reason in sample.doubts[what]
    assert sample.doubts.keys() == {what}
    assert sample.counters["generation_tokens"] == 20
    assert sample.histograms["e2e"] is not None


def test_a_start_that_is_no_time_is_not_told() -> None:
    assert read(small("process_start_time_seconds NaN\n")).process_start_s is None


def test_a_series_told_twice_alike_counts_once() -> None:
    sample = read(small(f"vllm:prompt_tokens_total{LABELS} 10\n"))
    assert (sample.counters["prompt_tokens"], sample.doubts) == (10, {})


@pytest.mark.parametrize(
    ("buckets", "count", "total", "reason"),
    [
        ({"0.1": 3, "0.5": 2, "+Inf": 3}, 3, 1, "do not add up"),
        ({"0.1": 1, "0.5": "NaN", "+Inf": 3}, 3, 1, "do not add up"),
        ({"0.1": 1, "+Inf": 3}, 4, 1, "differ"),
    ],
)
def test_a_histogram_that_contradicts_itself_is_left_out(
    buckets: dict[str, float], count: float, total: float, reason: str
) -> None:
    lines = histogram("time_to_first_token_seconds", buckets, count, total)
    sample = read(small("\n".join(lines) + "\n"))
    assert sample.histograms["ttft"] is None
    assert reason in sample.doubts["ttft"]


@pytest.mark.parametrize("total", ["NaN", -90_000])
def test_a_histogram_with_an_impossible_sum_keeps_its_counts(total: float | str) -> None:
    lines = histogram("time_to_first_token_seconds", {"0.1": 1, "+Inf": 3}, 3, total)  # type: ignore[arg-type]
    ttft = read(small("\n".join(lines) + "\n")).histograms["ttft"]
    assert ttft is not None
    assert (ttft.count, ttft.sum_us, ttft.buckets) == (3, None, (1,))


@pytest.mark.parametrize("bound", ["x", "NaN"])
def test_a_bucket_without_a_bound_is_no_page(bound: str) -> None:
    lines = histogram("time_to_first_token_seconds", {bound: 1, "+Inf": 3}, 3, 1)
    with pytest.raises(NotMetrics, match="bound"):
        read(small("\n".join(lines) + "\n"))


def test_half_a_histogram_is_none() -> None:
    lines = histogram("time_to_first_token_seconds", {"0.1": 1, "0.5": 2}, 2, 1)
    assert read(small("\n".join(lines) + "\n")).histograms["ttft"] is None


def test_tokens_from_another_engine_are_no_hits() -> None:
    """Disaggregated prefill: `prompt_tokens_cached` counts what came over, too."""
    lines = [
        f"vllm:prompt_tokens_cached_total{LABELS} 9",
        *(
            f'vllm:prompt_tokens_by_source_total{{{LABELS[1:-1]},source="{source}"}} {tokens}'
            for source, tokens in (("local_compute", 1), (names.LOCAL_HIT, 2), ("external", 7))
        ),
    ]
    assert read(small("\n".join(lines) + "\n")).counters["cached_prompt_tokens"] == 2


def test_a_real_page_cut_anywhere_is_never_read_falsely() -> None:
    """A cut page is refused, or tells what it tells truly and the rest not at all."""
    whole = read(REAL)
    reader = PageReader()
    for end in range(0, len(REAL), 97):
        try:
            found = reader.read(REAL[:end])
        except NotMetrics:
            continue
        for name, value in found.counters.items():
            assert value is None or value == whole.counters[name], (end, name)
        for name, value in found.histograms.items():
            assert value is None or value == whole.histograms[name], (end, name)


def test_a_model_name_cannot_hold_control_characters() -> None:
    page = small().replace(b'model_name="m"', b'model_name="\x1b[31m\\n<b>"')
    model = read(page).model
    assert model is not None
    assert model.isprintable()


def test_each_column_is_read_from_somewhere() -> None:
    """A new column that no vLLM name is given for would be unknown for ever."""
    finished = {f"requests_{reason}" for reason in (*names.FINISHED_REASONS, "other")}
    labelled = finished | {"admission_rejections", "http_5xx"}
    assert {*names.COUNTERS, *names.SECONDS, *labelled} == {*COUNTERS, *TOTALS}
    assert names.GAUGES.keys() == GAUGES.keys()
    assert set(names.HISTOGRAMS) == set(HISTOGRAMS)
