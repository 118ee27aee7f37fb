from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.metrics.amounts import amounts
from store.metrics.formats import format_difference, format_metric, format_ratio
from store.metrics.measure import (
    METRICS,
    SPECS,
    MetricSpec,
    MetricValue,
    bound_json,
    bounds_json,
    metrics,
    to_json,
)
from store.metrics.prices import PriceBook
from store.metrics.quantiles import LessThan, MoreThan
from store.reading_columns import HISTOGRAMS, MAXIMA
from store.windows.window import Window, read_window
from tests.store.synthetic import HOST, Engine, Second, make_engine

CONTRACT = set(
    """
requests request_rate prompt_tokens cached_prompt_tokens generation_tokens prompt_rate
generation_rate cache_hit_rate kv_usage_mean kv_usage_max running_mean waiting_mean preemptions
ttft_p50 ttft_p95 ttft_p99 itl_p50 itl_p95 itl_p99 e2e_p50 e2e_p95 e2e_p99 queue_p50 queue_p95
queue_p99 cost_usd cost_per_request_usd usd_per_million_output_tokens usd_per_million_tokens
tokens_per_usd active_fraction energy_j joules_per_token gpu_utilisation_mean gpu_memory_bytes
""".split()  # noqa: SIM905
)
DASH, MINUS, TIMES = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
PRICES = PriceBook({"H100": 3.6}, host_usd_per_hour=0.36)


def measured(engine: Engine) -> dict[str, MetricValue]:
    window = read_window(engine.ledger, engine.engine_id, 0, engine.ms)
    assert window is not None
    return metrics(window, PRICES)


def test_every_name_of_the_contract_is_there(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(2)
    found = measured(engine)
    assert set(found) >= CONTRACT
    assert list(found) == [spec.name for spec in METRICS]
    assert len(SPECS) == len(METRICS)


def test_every_metric_is_made_of_amounts_that_there_are(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(2)
    window = read_window(engine.ledger, engine.engine_id, 0, engine.ms)
    assert window is not None
    known = set(amounts(window, PRICES))
    sources = {
        "total": known,
        "ratio": known,
        "maximum": set(MAXIMA),
        "percentile": set(HISTOGRAMS),
    }
    for spec in METRICS:
        assert {spec.over, spec.per or spec.over} <= sources[spec.kind], spec.name


def test_a_busy_window_in_figures(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(100, Second(requests=10, active=0.5))
    found = measured(engine)
    expected = {
        "requests": 1000,
        "request_rate": 10.0,
        "prompt_rate": 1000.0,
        "generation_rate": 500.0,
        "cache_hit_rate": 0.5,
        "prompt_tokens_per_request": 100.0,
        "output_tokens_per_request": 50.0,
        "running_mean": 8.0,
        "kv_usage_mean": 0.25,
        "kv_usage_max": 0.4,
        "cost_usd": 0.1,
        "active_cost_usd": 0.05,
        "cost_per_request_usd": 1e-4,
        "active_cost_per_request_usd": 5e-5,
        "usd_per_million_output_tokens": 2.0,
        "usd_per_million_tokens": 0.1 / 0.15,
        "tokens_per_usd": 500_000.0,
        "active_fraction": 0.5,
        "energy_j": 30_000.0,
        "joules_per_token": 0.6,
        "gpu_utilisation_mean": 0.9,
        "gpu_memory_bytes": 2**30,
        "prefill_seconds": 0.1,
        "decode_seconds": 1.0,
        "ttft_p50": 0.2,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["queue_p95"] == LessThan(0.1)


def test_an_idle_window_has_no_cost_per_request_and_no_hit_rate(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(10, Second(requests=0, active=0.0, ttft=(), queue=()))
    found = measured(engine)
    assert found["requests"] == 0
    assert found["request_rate"] == 0
    assert found["cost_usd"] == pytest.approx(0.01)
    for name in (
        "cost_per_request_usd",
        "active_cost_per_request_usd",
        "usd_per_million_output_tokens",
        "cache_hit_rate",
        "failed_share",
        "joules_per_token",
        "ttft_p50",
    ):
        assert found[name] is None, name


def test_failed_requests_do_not_make_the_rest_look_cheap(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(10, Second(requests=5, failed=5))
    found = measured(engine)
    assert found["requests"] == 50
    assert found["requests_failed"] == 50
    assert found["failed_share"] == 0.5
    assert found["cost_per_request_usd"] == pytest.approx(0.01 / 50)


def test_rates_divide_by_wall_time_and_gauges_by_watched_time(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(10)
    engine.run(10, Second(watched=False))
    engine.run(10)
    found = measured(engine)
    assert found["request_rate"] == 10.0
    assert found["running_mean"] == 8.0


def test_a_restart_does_not_dilute_rates(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(10)
    engine.ms += 60_000
    engine.start()
    engine.run(10)
    assert measured(engine)["request_rate"] == 10.0


def test_a_cpu_engine_costs_its_host_and_knows_no_gpu(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    engine.run(100)
    found = measured(engine)
    assert found["cost_usd"] == pytest.approx(0.01)
    for name in ("gpu_utilisation_mean", "gpu_memory_bytes", "energy_j"):
        assert found[name] is None, name


def test_what_an_engine_does_not_tell_is_unknown() -> None:
    found = metrics(Window(1, 0, 1000, 1, {}, {}, {}), PRICES)
    assert {name for name, value in found.items() if value is not None} == set()


def test_json_has_bounds_beside_its_numbers() -> None:
    assert to_json(LessThan(0.3)) is None
    assert bound_json(LessThan(0.3)) == {"lt": 0.3}
    assert to_json(MoreThan(7680.0)) is None
    assert bound_json(MoreThan(7680.0)) == {"gt": 7680.0}
    assert bounds_json({"a": LessThan(0.3), "b": 1.0}) == {"a": {"lt": 0.3}}
    assert to_json(None) is None


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("cost_per_request_usd", 0.0000123, "$0.0000123"),
        ("cost_usd", 1234.5, "$1.23 k"),
        ("generation_rate", 1234.0, "1.23 k tok/s"),
        ("generation_rate", 0.004, "0.004 tok/s"),
        ("ttft_p95", 0.25, "250 ms"),
        ("ttft_p95", 0.00042, "0.42 ms"),
        ("ttft_p95", 0.9996, "1 s"),
        ("ttft_p95", 2.5, "2.5 s"),
        ("ttft_p95", 0.0, "0 s"),
        ("ttft_p95", LessThan(0.3), "<0.3 s"),
        ("e2e_p99", MoreThan(7680.0), ">7680 s"),
        ("cache_hit_rate", 0.6312, "63.1 %"),
        ("cache_hit_rate", 0.0, "0 %"),
        ("cache_hit_rate", 0.00001, "0.001 %"),
        ("gpu_memory_bytes", 3 * 2**30, "3 GiB"),
        ("requests", 12345, "12,345 req"),
        ("preemptions", 0, "0"),
        ("cost_usd", None, DASH),
        ("cost_usd", float("nan"), DASH),
        ("cost_usd", float("inf"), DASH),
    ],
)
def test_values_as_text(name: str, value: MetricValue, text: str) -> None:
    assert format_metric(SPECS[name], value) == text


def test_differences_and_ratios_as_text() -> None:
    assert format_difference(SPECS["cache_hit_rate"], 0.631) == "+63.1 pp"
    assert format_difference(SPECS["ttft_p95"], -0.25) == f"{MINUS}250 ms"
    assert format_difference(SPECS["cost_usd"], 0.0) == "0"
    assert format_difference(SPECS["cost_usd"], None) == DASH
    assert format_ratio(0.714) == f"{MINUS}28.6 %"
    assert format_ratio(4.1) == f"{TIMES}4.1"
    assert format_ratio(1.0) == "0 %"
    assert format_ratio(None) == DASH


@given(st.sampled_from(METRICS), st.floats(1e-30, 1e18))
def test_a_positive_value_never_reads_as_zero(spec: MetricSpec, value: float) -> None:
    text = format_metric(spec, value)
    assert any(digit in text for digit in "123456789"), text
    assert "e" not in text.split(" ")[0]
