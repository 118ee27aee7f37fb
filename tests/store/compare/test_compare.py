from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.compare.comparison import Comparison, Span, compare
from store.metrics.measure import METRICS
from store.metrics.prices import PriceBook
from store.metrics.quantiles import LessThan
from store.records import Change
from store.tables.changes import record
from tests.store.synthetic import HOST, START_MS, Engine, Second, make_engine

PRICES = PriceBook({"H100": 3.6}, host_usd_per_hour=0.36)
BUSY = Second()
Each = Callable[[int], Second]


def noisy(rate: int, seed: int = 0, base: Second = BUSY) -> Each:
    """Seconds whose requests vary around `rate`."""
    source = random.Random(seed)
    return lambda _: replace(base, requests=source.randint(rate - 3, rate + 3))


def two_windows(
    engine: Engine, before: Each | Second, after: Each | Second, seconds: int = 100
) -> tuple[Span, Span]:
    start = engine.ms
    middle = engine.run(seconds, before)
    end = engine.run(seconds, after)
    return (
        Span(engine.engine_id, start, middle, "before"),
        Span(engine.engine_id, middle, end, "after"),
    )


def compared(
    tmp_path: Path, before: Each | Second, after: Each | Second, seconds: int = 100
) -> Comparison:
    engine = make_engine(tmp_path / "l.db")
    a, b = two_windows(engine, before, after, seconds)
    return compare(engine.ledger, a, b, PRICES)


def test_a_cheaper_request_is_better_with_an_interval_off_zero(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(10), noisy(20, 1))
    cost = found.metrics["cost_per_request_usd"]
    assert found.verdict == cost.verdict == "better"
    assert cost.interval is not None
    assert cost.interval[0] < cost.difference < cost.interval[1] < 0  # type: ignore[operator]
    assert cost.ratio_interval is not None
    assert cost.ratio_interval[1] < 1
    assert cost.blocks == (100, 100)
    assert found.metrics["tokens_per_usd"].verdict == "better"


def test_a_dearer_request_is_worse(tmp_path: Path) -> None:
    assert compared(tmp_path, noisy(20), noisy(10, 1)).verdict == "worse"


def test_the_same_traffic_shows_no_difference(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(10), noisy(10, 1))
    assert found.verdict == "no difference shown"


def test_a_window_against_itself_shows_no_difference_anywhere(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    span, _ = two_windows(engine, noisy(10), noisy(10))
    found = compare(engine.ledger, span, span, PRICES)
    assert found.verdict == "no difference shown"
    said = {effect.verdict for effect in found.metrics.values()}
    assert said == {None, "no difference shown"}
    assert any("overlap" in reason for reason in found.reasons)


def test_under_eight_blocks_there_is_no_verdict(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(10), noisy(20), seconds=7)
    assert found.verdict == "too few blocks"
    assert found.metrics["cost_per_request_usd"].verdict == "too few blocks"
    assert found.metrics["cost_per_request_usd"].interval is None
    assert found.metrics["cost_per_request_usd"].blocks == (7, 7)
    assert "7 usable blocks" in found.reasons[0]
    assert found.expected_s == 1.0
    assert compared(tmp_path / "8", noisy(10), noisy(20), seconds=20).verdict == "better"


def test_one_short_window_is_enough_to_refuse(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    a, b = two_windows(engine, noisy(10), noisy(20))
    short = replace(b, to_ms=b.from_ms + 5_000)
    assert compare(engine.ledger, a, short, PRICES).verdict == "too few blocks"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"prompt_per_request": 121}, "not comparable"),
        ({"output_per_request": 61}, "not comparable"),
        ({"output_per_request": 41}, "not comparable"),
        ({"prompt_per_request": 119}, "no difference shown"),
        ({"cached_share": 0.9}, "no difference shown"),
    ],
)
def test_a_mix_that_moved_past_a_fifth_is_not_comparable(
    tmp_path: Path, change: dict[str, int], verdict: str
) -> None:
    after = replace(Second(), **change)  # type: ignore[arg-type]
    found = compared(tmp_path, noisy(10), noisy(10, 1, after))
    assert found.verdict == verdict
    if verdict == "not comparable":
        assert "tokens/request moved" in found.reasons[0]
        assert found.metrics["cost_per_request_usd"].verdict == "not comparable"
        assert found.metrics["cost_per_request_usd"].interval is not None


def test_a_rate_that_moved_is_an_outcome_where_the_engine_was_saturated(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(10), noisy(20, 1))
    assert found.workload["request_rate"].moved is True
    assert "outcome" in found.reasons[0]


def test_else_it_confounds_allocated_cost_and_active_cost_decides(tmp_path: Path) -> None:
    """Twice the traffic on a half idle engine: allocated cost halves, the engine did nothing."""
    found = compared(tmp_path, noisy(10, 0, Second(active=0.4)), noisy(20, 1, Second(active=0.8)))
    assert found.verdict == "no difference shown"
    assert "not saturated" in found.reasons[0]
    assert "active cost" in found.reasons[0]
    assert found.metrics["cost_per_request_usd"].verdict == "not comparable"
    assert found.metrics["request_rate"].verdict == "not comparable"
    assert found.metrics["active_cost_per_request_usd"].verdict == "no difference shown"


def test_active_cost_can_show_what_a_moved_rate_hides(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(20, 0, Second(active=0.9)), noisy(10, 1, Second(active=0.2)))
    assert found.verdict == "better"


def test_an_unsaturated_engine_at_the_same_rate_says_what_active_cost_shows(
    tmp_path: Path,
) -> None:
    found = compared(tmp_path, noisy(10, 0, Second(active=0.8)), noisy(10, 1, Second(active=0.4)))
    assert found.verdict == "no difference shown"
    assert any("active cost per request: better" in reason for reason in found.reasons)


def test_no_traffic_in_one_window_is_said(tmp_path: Path) -> None:
    idle = Second(requests=0, active=0.0, ttft=(), queue=())
    found = compared(tmp_path, noisy(10), idle)
    assert found.verdict == "not comparable"
    assert found.reasons[0] == "no traffic in after: no request finished"
    assert found.metrics["cost_per_request_usd"].b is None
    assert found.metrics["cost_per_request_usd"].verdict is None


def test_a_span_without_readings_is_said(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    a, _ = two_windows(engine, noisy(10), noisy(10))
    found = compare(engine.ledger, a, Span(a.engine_id, 0, 60_000, "nothing"), PRICES)
    assert found.verdict == "not comparable"
    assert "no readings in nothing" in found.reasons[0]
    json.dumps(found.to_json(), allow_nan=False)


def test_blocks_grow_where_rows_are_further_apart(tmp_path: Path) -> None:
    """A ledger thinned to a row a minute still gives blocks, of a minute each."""
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    for _ in range(8):
        engine.tick(Second(requests=600), step_ms=60_000)
    middle = engine.ms
    for _ in range(8):
        engine.tick(Second(requests=900), step_ms=60_000)
    found = compare(
        engine.ledger,
        Span(engine.engine_id, start, middle, "before"),
        Span(engine.engine_id, middle, engine.ms, "after"),
        PRICES,
    )
    assert found.metrics["request_rate"].blocks == (8, 8)
    assert found.metrics["request_rate"].a == 10.0


def test_percentiles_are_compared_on_merged_buckets(tmp_path: Path) -> None:
    source = random.Random(3)

    def seconds(low: int, high: int) -> Each:
        return lambda _: Second(ttft=(0, source.randint(low, high), 5, 0, 0))

    found = compared(tmp_path, seconds(1, 4), seconds(20, 40))
    p50 = found.metrics["ttft_p50"]
    assert p50.verdict == "better"
    assert p50.interval is not None
    assert p50.interval[1] < 0


def test_two_medians_under_the_first_bound_have_no_known_difference(tmp_path: Path) -> None:
    queue = compared(tmp_path, noisy(10), noisy(10, 1)).metrics["queue_p50"]
    assert queue.a == queue.b == LessThan(0.1)
    assert (queue.difference, queue.ratio, queue.interval, queue.verdict) == (None,) * 4


def test_a_median_that_leaves_the_first_bucket_is_worse_by_at_least_the_bound(
    tmp_path: Path,
) -> None:
    after = Second(queue=(0, 0, 10, 0, 0))
    queue = compared(tmp_path, noisy(10), noisy(10, 1, after)).metrics["queue_p50"]
    assert queue.a == LessThan(0.1)
    assert queue.difference is None
    assert queue.interval is None
    assert queue.verdict == "worse"


def test_an_unknown_price_falls_back_to_the_rate_of_the_same_devices(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    a, b = two_windows(engine, noisy(10), noisy(20, 1))
    found = compare(engine.ledger, a, b, PriceBook(example_host=False))
    assert found.verdict == "better"
    assert found.metrics["cost_per_request_usd"].a is None
    assert any("no price" in reason for reason in found.reasons)


def test_free_devices_are_judged_by_their_rate_too(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    a, b = two_windows(engine, noisy(10), noisy(20, 1))
    assert compare(engine.ledger, a, b, PriceBook(host_usd_per_hour=0)).verdict == "better"


def test_without_a_price_a_moved_rate_leaves_nothing_to_judge_by(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    idle = Second(active=0.5)
    a, b = two_windows(engine, noisy(10, 0, idle), noisy(20, 1, idle))
    found = compare(engine.ledger, a, b, PriceBook(example_host=False))
    assert found.verdict == "not comparable"
    assert "cost per request is not known" in found.reasons


def test_a_night_is_cut_into_longer_blocks(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    for _ in range(600):
        engine.tick(Second(requests=200), step_ms=20_000)
    span = Span(engine.engine_id, start, engine.ms)
    note = compare(engine.ledger, span, span, PRICES).windows[0]
    assert (note.blocks, note.block_ms) == (200, 64_000)


def test_what_differs_between_the_windows_is_said(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start, middle = engine.ms, engine.run(60, noisy(10))
    engine.ms += 60_000
    engine.model, engine.device = "tiny-int4", HOST
    engine.start()
    after, end = engine.ms, engine.run(60, noisy(10))
    found = compare(
        engine.ledger,
        Span(engine.engine_id, start, middle, "before"),
        Span(engine.engine_id, after, end, "after"),
        PRICES,
    )
    assert "the models differ: tiny and tiny-int4" in found.reasons
    assert any("devices differ" in r and "$3.6/h" in r and "$0.36/h" in r for r in found.reasons)


def test_a_change_inside_a_window_is_said(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    a, b = two_windows(engine, noisy(10), noisy(10))
    record(
        engine.ledger,
        engine.run_id,
        Change("c1", a.from_ms + 30_000, "max_num_seqs", 32, 1, "applied", "set", "me"),
    )
    found = compare(engine.ledger, a, b, PRICES)
    assert "before has a change inside: max_num_seqs" in found.reasons


def test_more_failures_are_said_even_where_cost_is_better(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(10), noisy(20, 1, Second(failed=3)))
    assert found.verdict == "better"
    assert any("more requests fail" in reason for reason in found.reasons)


def test_json_has_what_the_contract_says(tmp_path: Path) -> None:
    found = compared(tmp_path, noisy(10), noisy(20, 1)).to_json()
    assert {"metrics", "workload", "verdict", "reasons", "windows"} <= set(found)
    metrics = found["metrics"]
    assert isinstance(metrics, dict)
    assert list(metrics) == [spec.name for spec in METRICS]
    for effect in metrics.values():
        assert {"a", "b", "difference", "ratio", "interval", "blocks", "verdict"} <= set(effect)
    text = json.dumps(found, allow_nan=False)
    assert '"lt": 0.1' in text


def test_the_same_windows_give_the_same_answer_to_the_digit(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    a, b = two_windows(engine, noisy(10), noisy(12, 1))
    assert compare(engine.ledger, a, b, PRICES) == compare(engine.ledger, a, b, PRICES)


TURNED = {"better": "worse", "worse": "better"}


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rates=st.tuples(st.integers(5, 30), st.integers(5, 30)), active=st.sampled_from([1.0, 0.6]))
def test_swapping_the_windows_turns_the_signs_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, rates: tuple[int, int], active: float
) -> None:
    engine = make_engine(tmp_path_factory.mktemp("swap") / "l.db")
    base = Second(active=active)
    a, b = two_windows(engine, noisy(rates[0], 0, base), noisy(rates[1], 1, base), seconds=60)
    there, back = (compare(engine.ledger, *pair, PRICES) for pair in ((a, b), (b, a)))
    assert back.verdict == TURNED.get(there.verdict, there.verdict)
    for name, one in there.metrics.items():
        other = back.metrics[name]
        assert (one.a, one.b) == (other.b, other.a)
        assert other.verdict == TURNED.get(one.verdict or "", one.verdict)
        if one.interval is not None:
            assert other.interval is not None
            assert other.interval[0] == pytest.approx(-one.interval[1], rel=1e-6, abs=1e-12)
            assert other.interval[1] == pytest.approx(-one.interval[0], rel=1e-6, abs=1e-12)


@settings(max_examples=5)
@given(factor=st.floats(1e-3, 1e3))
def test_prices_scale_costs_and_leave_verdicts(
    tmp_path_factory: pytest.TempPathFactory, factor: float
) -> None:
    engine = make_engine(tmp_path_factory.mktemp("scale") / "l.db")
    a, b = two_windows(engine, noisy(10), noisy(13, 1), seconds=60)
    plain = compare(engine.ledger, a, b, PRICES)
    dear = compare(engine.ledger, a, b, PriceBook({"H100": 3.6 * factor}))
    assert dear.verdict == plain.verdict
    one, other = (found.metrics["cost_per_request_usd"] for found in (plain, dear))
    assert one.interval is not None
    assert other.interval == pytest.approx([factor * end for end in one.interval], rel=1e-6)
    assert other.ratio == pytest.approx(one.ratio)


def test_a_span_before_the_first_reading_starts_with_it(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    a, b = two_windows(engine, noisy(10), noisy(10))
    early = replace(a, from_ms=START_MS - 60_000)
    found = compare(engine.ledger, early, b, PRICES)
    assert found.windows[0].from_ms == START_MS
    assert found.metrics["request_rate"].blocks == (100, 100)
