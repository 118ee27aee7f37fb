from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.metrics.cost import PhaseWeights, RequestWork, cost_of, phase_weights, request_shares
from store.metrics.prices import PriceBook
from store.records import Device
from store.windows.window import DeviceWindow, Window

HOUR_MS = 3_600_000


def device(name: str, held_ms: int, uuid: str = "") -> DeviceWindow:
    return DeviceWindow(Device("gpu", uuid or name, name), held_ms, held_ms, None, None, None, None)


def window(*devices: DeviceWindow, **totals: int | None) -> Window:
    return Window(1, 0, HOUR_MS, 1, totals, {}, {}, devices)


def test_allocated_is_held_hours_times_price_over_all_devices() -> None:
    found = cost_of(
        window(device("X1", HOUR_MS), device("X2", HOUR_MS // 2), watched_ms=100, active_ms=25),
        PriceBook({"X1": 2.0, "X2": 4.0}),
    )
    assert found.allocated_usd == pytest.approx(4.0)
    assert found.active_fraction == 0.25
    assert found.active_usd == pytest.approx(1.0)
    assert [line.usd for line in found.devices] == [2.0, 2.0]


def test_a_device_without_a_price_makes_the_cost_unknown_and_says_which() -> None:
    found = cost_of(window(device("X1", 1000), device("Y", 1000)), PriceBook({"X1": 2.0}))
    assert found.allocated_usd is None
    assert found.active_usd is None
    assert found.reason == 'no price for Y: set "Y" under [prices] in settings.toml'


def test_an_engine_without_known_devices_has_no_cost_rather_than_none_at_all() -> None:
    found = cost_of(window(watched_ms=10, active_ms=10), PriceBook())
    assert found.allocated_usd is None
    assert "no device" in found.reason


def test_unwatched_time_has_an_allocated_cost_only() -> None:
    found = cost_of(window(device("X", HOUR_MS), watched_ms=0, active_ms=0), PriceBook({"X": 1.0}))
    assert found.allocated_usd == 1.0
    assert found.active_usd is None


def test_phase_weights_count_computed_prompt_tokens_only() -> None:
    found = phase_weights(
        window(
            prompt_tokens=1000,
            cached_prompt_tokens=900,
            prefill_us=1_000_000,
            decode_us=4_000_000,
            generation_tokens=200,
        )
    )
    assert found == PhaseWeights(0.01, 0.02)


def test_a_fully_cached_window_has_no_prefill_rate() -> None:
    found = phase_weights(window(prompt_tokens=10, cached_prompt_tokens=10, prefill_us=5))
    assert found == PhaseWeights(None, None)


def test_cached_tokens_that_nobody_tells_are_not_none_at_all() -> None:
    told = {"prompt_tokens": 1000, "prefill_us": 5, "decode_us": 4_000_000}
    for cached in ({}, {"cached_prompt_tokens": None}):
        found = phase_weights(window(**told, **cached, generation_tokens=200))
        assert found == PhaseWeights(None, 0.02)


rates = st.none() | st.floats(1e-9, 10)
work = st.builds(RequestWork, st.integers(0, 10**6), st.integers(0, 10**6))


@given(st.floats(0, 1e6), st.builds(PhaseWeights, rates, rates), st.lists(work, max_size=50))
def test_shares_always_sum_to_the_cost(
    cost: float, weights: PhaseWeights, requests: list[RequestWork]
) -> None:
    shares = request_shares(cost, weights, requests)
    assert len(shares) == len(requests)
    assert all(share >= 0 for share in shares)
    if requests:
        assert math.fsum(shares) == pytest.approx(cost, rel=1e-12, abs=1e-12)


@given(st.builds(PhaseWeights, rates, rates), work, work)
def test_more_work_never_has_the_smaller_share(
    weights: PhaseWeights, one: RequestWork, more: RequestWork
) -> None:
    both = RequestWork(
        one.computed_prompt_tokens + more.computed_prompt_tokens,
        one.output_tokens + more.output_tokens,
    )
    small, large = request_shares(1.0, weights, [one, both])
    assert large >= small


def test_an_output_token_weighs_what_decoding_measured() -> None:
    weights = PhaseWeights(prefill_s_per_token=0.001, decode_s_per_token=0.01)
    shares = request_shares(2.0, weights, [RequestWork(1000, 0), RequestWork(0, 100)])
    assert shares == pytest.approx([1.0, 1.0])
