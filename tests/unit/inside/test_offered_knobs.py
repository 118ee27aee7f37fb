"""Which knobs are offered on which shape of vLLM, and that they hold in its steps."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.inside.trimtab_inside.live_knobs.knobs import Knob
from engines.inside.trimtab_inside.live_knobs.offered_knobs import probe, reads
from tests.unit.inside.inside_standins import Request, Scheduler08, Scheduler25, Scheduler32


def knobs_of(scheduler: Any) -> dict[str, Knob]:
    return {knob.name: knob for knob in probe(scheduler)}


def kinds_of(scheduler: Any) -> list[str]:
    return [knob.kind for knob in probe(scheduler)]


@pytest.mark.parametrize(
    ("scheduler_class", "kinds"),
    [
        (Scheduler08, ["swap", "live", "live", "live"]),
        (Scheduler25, ["live"] * 4),
        (Scheduler32, ["live"] * 4),
    ],
)
def test_each_era_offers_what_its_scheduler_reads(scheduler_class: Any, kinds: list[str]) -> None:
    assert kinds_of(scheduler_class()) == kinds


def test_nothing_recognised_is_no_exception() -> None:
    knobs = probe(SimpleNamespace())
    assert [knob.kind for knob in knobs] == ["swap"] * 4
    assert all("not found in this vLLM" in knob.reason for knob in knobs)


def test_an_attribute_that_no_step_reads_is_not_offered() -> None:
    class Deaf(Scheduler32):
        def schedule(self, throttle_prefills: bool = False) -> list[str]:
            return []

        def full(self) -> bool:
            return False

    deaf = SimpleNamespace()
    vars(deaf).update(vars(Deaf()))
    assert not reads(deaf, "max_num_scheduled_tokens")
    assert "does not read" in knobs_of(deaf)["max_num_batched_tokens"].reason


def test_reads_sees_through_decorators() -> None:
    import functools

    def quiet(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    class Decorated:
        @quiet
        def schedule(self) -> Any:
            return [self.hidden for _ in "x"]

    assert reads(Decorated(), "hidden")
    assert not reads(Decorated(), "absent")


def test_started_without_prefix_caching_needs_a_swap() -> None:
    scheduler = Scheduler32()
    scheduler.kv_cache_manager.enable_caching = False
    knob = knobs_of(scheduler)["enable_prefix_caching"]
    assert (knob.kind, knob.read()) == ("swap", False)
    assert "swap" in knob.reason


def test_a_connector_is_named_in_the_reason() -> None:
    scheduler = Scheduler32()
    assert "KV connector" not in knobs_of(scheduler)["enable_prefix_caching"].reason
    scheduler.connector = object()
    assert "KV connector" in knobs_of(scheduler)["enable_prefix_caching"].reason


def test_bounds_of_the_running_cap_are_one_and_the_slots() -> None:
    scheduler = Scheduler32(seqs=8)
    scheduler.max_num_active_reqs = 5  # started with --max-num-active-seqs 5
    knob = knobs_of(scheduler)["max_num_seqs"]
    assert (knob.start, knob.minimum, knob.maximum) == (5, 1, 8)
    assert knob.refusal(9)
    assert knob.refusal(0)
    assert not knob.refusal(8)


@pytest.mark.parametrize(
    ("change", "minimum"),
    [
        ({}, 8),
        ({"num_spec_tokens": 3}, 32),
        ({"need_mamba_block_aligned_split": True, "block_size": 128}, 128),
        ({"num_prefill_lookahead": 16}, 16),
    ],
)
def test_minimum_of_the_step_budget(change: dict[str, Any], minimum: int) -> None:
    scheduler = Scheduler32(seqs=8, tokens=256)
    vars(scheduler).update(change)
    knob = knobs_of(scheduler)["max_num_batched_tokens"]
    assert (knob.minimum, knob.maximum) == (minimum, 256)


def test_step_budget_holds_a_whole_prompt_without_chunked_prefill() -> None:
    scheduler = Scheduler32(tokens=4096, enable_chunked_prefill=False)
    knobs = knobs_of(scheduler)
    assert knobs["max_num_batched_tokens"].minimum == scheduler.max_model_len
    assert knobs["long_prefill_token_threshold"].kind == "swap"


def test_old_versions_resolve_chunking_in_a_property() -> None:
    scheduler = Scheduler32(enable_chunked_prefill=None, chunked_prefill_enabled=True)
    assert knobs_of(scheduler)["long_prefill_token_threshold"].kind == "live"


def test_uncut_images_keep_both_token_knobs_at_their_start() -> None:
    scheduler = Scheduler32(disable_chunked_mm_input=True)
    assert kinds_of(scheduler) == ["live"] * 4
    scheduler.vllm_config.model_config.is_multimodal_model = True
    assert kinds_of(scheduler) == ["live", "live", "swap", "swap"]


def test_the_long_prefill_threshold_is_none_or_a_piece_that_makes_progress() -> None:
    scheduler = Scheduler32()
    vars(scheduler).update(need_mamba_block_aligned_split=True, block_size=128)
    knob = knobs_of(scheduler)["long_prefill_token_threshold"]
    assert not knob.refusal(0)
    assert not knob.refusal(128)
    assert "smallest piece" in knob.refusal(127)
    assert knob.refusal(scheduler.max_model_len + 1)


def test_numbers_and_switches_are_not_mixed_up() -> None:
    knobs = knobs_of(Scheduler32())
    assert knobs["max_num_seqs"].refusal(True)
    assert knobs["enable_prefix_caching"].refusal(1)
    assert not knobs["enable_prefix_caching"].refusal(False)


def test_lowering_the_attribute_itself_ends_an_old_engine() -> None:
    """The danger that the cap of old versions guards against is real in the stand-in."""
    scheduler = Scheduler08(seqs=4)
    for name in "abcd":
        scheduler.add_request(Request(name))
    scheduler.schedule()
    scheduler.max_num_running_reqs = 1
    with pytest.raises(AssertionError):
        scheduler.schedule()


STEPS = st.lists(
    st.tuples(st.sampled_from(["cap", "add", "finish", "step"]), st.integers(1, 6)), max_size=60
)


@pytest.mark.parametrize("scheduler_class", [Scheduler08, Scheduler25, Scheduler32])
@given(steps=STEPS)
def test_any_order_of_caps_and_requests_serves_and_drains(scheduler_class: Any, steps: Any) -> None:
    scheduler = scheduler_class(seqs=6)
    knob = knobs_of(scheduler)["max_num_seqs"]
    names = iter(range(10_000))
    for act, number in steps:
        if act == "cap":
            knob.write(number)
        elif act == "add":
            for _ in range(number):
                scheduler.add_request(Request(str(next(names))))
        elif act == "finish":
            scheduler.finish(number)
        else:
            before, cap = len(scheduler.running), int(knob.read())  # type: ignore[arg-type]
            if knob.before_step is not None:
                knob.before_step()
            scheduler.schedule()
            assert len(scheduler.running) <= max(before, cap)
            if scheduler.waiting:
                assert len(scheduler.running) >= cap


def test_caching_off_reaches_new_and_waiting_requests_and_on_takes_only_its_own_marks_back() -> (
    None
):
    scheduler = Scheduler32(seqs=8)
    knob = knobs_of(scheduler)["enable_prefix_caching"]
    own, waiting, remote = Request("own"), Request("waiting"), Request("remote")
    own.skip_reading_prefix_cache = True  # the client asked for it
    remote.kv_transfer_params = {"do_remote_prefill": True}
    for request in (own, waiting, remote):
        scheduler.add_request(request)
    knob.write(False)
    late = Request("late")
    knob.before_request(late)  # type: ignore[misc]
    scheduler.add_request(late)
    assert waiting.skip_reading_prefix_cache
    assert late.skip_reading_prefix_cache
    scheduler.schedule()
    assert scheduler.cache_reads == ["remote"]
    knob.write(True)
    assert own.skip_reading_prefix_cache
    assert not waiting.skip_reading_prefix_cache
    assert not late.skip_reading_prefix_cache
