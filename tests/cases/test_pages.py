"""Pages that misbehave: what can be true of them is counted, and the rest is said."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from store.metrics.quantiles import LessThan
from tests.cases.pages import Found, Load, record

LOAD = Load()
SECONDS = 12
SEVERAL = "several engines answer in turn at this address: give each one's own"
Recorded = Callable[[Sequence[str]], Awaitable[Found]]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return lambda pages: record(pages, tmp_path, monkeypatch)


def well(**changes: object) -> list[str]:
    load = replace(LOAD, **changes)  # type: ignore[arg-type]
    return [load.page(second) for second in range(SECONDS)]


def with_value(pages: Sequence[str], name: str, value: object, since: int = 0) -> list[str]:
    """The pages with another value of all series of a name from one page on."""
    line = re.compile(rf"(?m)^({re.escape(name)}(?:\{{.*\}})?) .*$")
    assert line.search(pages[0])
    return [
        line.sub(rf"\g<1> {value}", page) if second >= since else page
        for second, page in enumerate(pages)
    ]


def of_an_old_engine() -> list[str]:
    """Pages from before 0.17: cached tokens are not told, hits and look-ups are."""
    return [re.sub(r"(?m)^vllm:prompt_tokens_cached_total.*\n", "", page) for page in well()]


def check_the_rest(found: Found) -> None:
    """What a fault of another number must not touch."""
    assert found.metrics["request_rate"] == pytest.approx(2, rel=0.05)
    assert found.metrics["prompt_rate"] == pytest.approx(1000, rel=0.05)
    assert found.metrics["generation_rate"] == pytest.approx(100, rel=0.05)
    assert found.metrics["cache_hit_rate"] == pytest.approx(0.6)
    assert found.unread == []
    assert found.begun == [""]


@pytest.mark.parametrize(
    ("name", "value", "unknown"),
    [
        ("vllm:kv_cache_usage_perc", -0.39, ("kv_usage_mean", "kv_usage_max")),
        ("vllm:kv_cache_usage_perc", "NaN", ("kv_usage_mean", "kv_usage_max")),
        ("vllm:kv_cache_usage_perc", 1.02, ("kv_usage_mean", "kv_usage_max")),
        ("vllm:num_requests_waiting", -1, ("waiting_mean", "waiting_max")),
        ("vllm:request_prefill_time_seconds_sum", "NaN", ("prefill_seconds",)),
        ("vllm:num_preemptions_total", -4, ("preemptions",)),
    ],
)
async def test_one_bad_number_takes_nothing_else(
    recorded: Recorded, name: str, value: object, unknown: tuple[str, ...]
) -> None:
    found = await recorded(with_value(well(), name, value))
    check_the_rest(found)
    for metric in unknown:
        assert found.metrics[metric] is None
        assert found.reasons[metric].startswith(name)
    assert len(set(found.doubts.values())) == 1


async def test_a_gauge_that_is_bad_for_a_while_is_the_mean_of_the_rest(recorded: Recorded) -> None:
    pages = well()
    pages[4:8] = with_value(pages[4:8], "vllm:kv_cache_usage_perc", -0.39)
    found = await recorded(pages)
    check_the_rest(found)
    assert found.metrics["kv_usage_mean"] == pytest.approx(0.4)
    assert found.metrics["running_mean"] == pytest.approx(3)


@pytest.mark.parametrize("total", [-90_000, 3])
async def test_a_sum_of_seconds_that_falls_is_no_restart(recorded: Recorded, total: float) -> None:
    """A request that ends before its first token was observed with minus the host's uptime."""
    pages = with_value(well(), "vllm:request_prefill_time_seconds_sum", total, since=5)
    found = await recorded(with_value(pages, "vllm:request_queue_time_seconds_sum", total, since=5))
    check_the_rest(found)
    assert found.metrics["prefill_seconds"] is None
    assert "prefill_time_seconds_sum" in found.reasons["prefill_seconds"]
    assert found.metrics["queue_p95"] == LessThan(0.3)


async def test_counters_that_fall_together_are_another_life(recorded: Recorded) -> None:
    pages = well(before=1000, start=None)
    pages[6:] = [replace(LOAD, before=0, start=None).page(second) for second in range(6)]
    found = await recorded(pages)
    assert found.begun == ["", "its counters began anew"]
    assert found.metrics["requests"] == pytest.approx(20)


async def test_one_counter_that_falls_alone_is_wrong_itself(recorded: Recorded) -> None:
    found = await recorded(with_value(well(start=None), "vllm:generation_tokens_total", 7, since=6))
    assert found.begun == [""]
    assert found.metrics["generation_tokens"] is None
    assert "fell while the engine went on" in found.reasons["generation_tokens"]
    assert found.metrics["prompt_rate"] == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("before", "order"),
    [((1000, 5000), "abababab"), ((5000, 1000), "abababab"), ((1000, 1040), "aabbabba")],
)
async def test_replicas_behind_one_address_are_not_counted(
    recorded: Recorded, before: tuple[int, int], order: str
) -> None:
    replicas = dict(zip("ab", before, strict=True))
    pages = [
        replace(LOAD, before=replicas[which], start=None).page(second)
        for second, which in enumerate(order)
    ]
    found = await recorded(pages)
    assert SEVERAL in found.unread
    assert (found.metrics.get("request_rate") or 0) < 100


async def test_replicas_are_told_by_their_starts(recorded: Recorded) -> None:
    starts = {"a": 1_790_000_000.0, "b": 1_790_000_500.0}
    pages = [
        replace(LOAD, before=1000 if which == "a" else 5000, start=starts[which]).page(second)
        for second, which in enumerate("abab" * 3)
    ]
    found = await recorded(pages)
    assert found.unread.count(SEVERAL) >= 9
    assert (found.metrics.get("request_rate") or 0) < 100


async def test_a_burst_is_no_second_engine(recorded: Recorded) -> None:
    pages = well(start=None)
    pages[5:] = [replace(LOAD, before=400, start=None).page(second) for second in range(5, SECONDS)]
    found = await recorded(pages)
    assert found.unread == []
    assert found.metrics["requests"] == pytest.approx(2 * (SECONDS - 1) + 300)


async def test_a_rank_that_is_missing_once_is_no_page(recorded: Recorded) -> None:
    """A data-parallel engine of which one page does not tell."""
    second_rank = [replace(LOAD, rank="1", start=None).page(second) for second in range(SECONDS)]
    pages = [first + second for first, second in zip(well(), second_rank, strict=True)]
    pages[6] = well()[6]
    found = await recorded(pages)
    assert found.unread == ["the page is not whole: data-parallel engine 1 was there before"]
    assert found.begun == [""]
    assert found.metrics["requests"] == 2 * 2 * (SECONDS - 1)


async def test_a_rank_that_comes_later_counts_from_its_own_beginning(recorded: Recorded) -> None:
    late = [replace(LOAD, rank="1", before=9000, start=None).page(s) for s in range(SECONDS)]
    pages = [first + (late[s] if s >= 6 else "") for s, first in enumerate(well())]
    found = await recorded(pages)
    assert found.begun == ["", "it has more data-parallel engines"]
    assert found.metrics["requests"] < 100


async def test_hits_that_are_counted_again_are_no_share_above_one(recorded: Recorded) -> None:
    """Before 0.17: each step of a request that waits is another look-up."""
    pages = of_an_old_engine()
    for name, factor in (("queries", 2000), ("hits", 1200)):
        pages = [
            re.sub(
                rf"(?m)^(vllm:prefix_cache_{name}_total\{{.*\}}) .*$",
                rf"\g<1> {factor * (100 + 2 * second)}",
                page,
            )
            for second, page in enumerate(pages)
        ]
    found = await recorded(pages)
    assert found.metrics["cache_hit_rate"] == pytest.approx(0.6)
    assert found.metrics["cached_prompt_tokens"] is None


async def test_requests_whose_clients_went_away_are_told(recorded: Recorded) -> None:
    pages = well()
    gone = replace(LOAD, before=100)
    for second, page in enumerate(pages):
        still = gone.page(0)
        moved = re.search(r"(?m)^vllm:prompt_tokens_total.*$", page)
        assert moved is not None
        pages[second] = re.sub(r"(?m)^vllm:prompt_tokens_total.*$", moved[0], still)
    found = await recorded(pages)
    assert found.metrics["requests"] == 0
    assert found.metrics["requests_failed"] is None
    assert "went away" in found.reasons["requests_failed"]


async def test_no_request_is_missed_where_all_were_answered(recorded: Recorded) -> None:
    assert (await recorded(well())).metrics["requests_failed"] == 0


async def test_a_speaker_that_counts_no_requests_times_them(recorded: Recorded) -> None:
    """Triton's subset has no request_success, no gauges, and labels of its own."""
    kept = re.compile(r"(?m)^vllm:(?!request_success|num_|kv_|prefix_|prompt_tokens_cached).*\n")
    pages = ["".join(kept.findall(page)).replace("model_name=", "model=") for page in well()]
    found = await recorded(pages)
    assert found.metrics["request_rate"] == pytest.approx(2, rel=0.05)
    assert found.metrics["requests_failed"] is None


@pytest.mark.parametrize("prefix", ["ray_vllm_", "ray_vllm:"])
async def test_ray_s_names_are_read(recorded: Recorded, prefix: str) -> None:
    check_the_rest(await recorded([page.replace("vllm:", prefix) for page in well()]))


async def test_ray_s_replicas_are_not_added_up(recorded: Recorded) -> None:
    pages = [
        "".join(
            page.replace("vllm:", "ray_vllm_").replace('engine="0"', f'engine="0",ReplicaId="{r}"')
            for r in ("r1", "r2")
        ).replace("process_start_time_seconds 1790000000.0\n", "", 1)
        for page in well()
    ]
    found = await recorded(pages)
    assert found.unread == [
        "Ray's exporter tells of 2 engines here, and one is read an address"
    ] * len(pages)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("python_info 1\nprocess_start_time_seconds 1\n", "--disable-log-stats"),
        ('vllm:current_qps{server="http://a"} 2\nvllm:num_requests_running 3\n', "router"),
        ("vllm_router_requests_total 7\n", "router"),
    ],
)
async def test_other_speakers_are_named(recorded: Recorded, page: str, said: str) -> None:
    found = await recorded([page])
    assert said in found.unread[0]


async def test_a_sleeping_engine_is_called_asleep(recorded: Recorded) -> None:
    asleep = 'vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="awake"} 0\n'
    found = await recorded([page + asleep for page in well()])
    assert "sleeps" in found.doubts["asleep"]


async def test_look_ups_that_stand_still_are_no_lack_of_prompts(recorded: Recorded) -> None:
    """As while prefix caching is off."""
    pages = with_value(of_an_old_engine(), "vllm:prefix_cache_queries_total", 24_000)
    found = await recorded(with_value(pages, "vllm:prefix_cache_hits_total", 14_400))
    assert found.metrics["cache_hit_rate"] is None
    assert found.reasons["cache_hit_rate"].startswith("no prompt was looked up in the prefix cache")
    assert found.metrics["prompt_rate"] == pytest.approx(1000, rel=0.05)
