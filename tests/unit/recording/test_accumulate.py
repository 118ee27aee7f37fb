"""Integrals, gaps, clocks, and the rule that within a run everything only grows."""

import bisect
import itertools
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.metrics_page import Sample
from engines.recording.accumulate import Accumulator, Scrape
from engines.recording.busy_time import ActiveTime
from engines.recording.devices.device_time import DeviceAccumulator, DeviceSample
from engines.recording.integrals.integral import longest_gap_us
from engines.recording.judging.continuity import continues, lost, restarted
from store.reading_columns import (
    COUNTERS,
    CUMULATIVE_VALUES,
    HISTOGRAMS,
    TOTALS,
    VALUE_COLUMNS,
    Bounds,
    Histogram,
    Reading,
)

S = 1_000_000
WALL = 1_760_000_000_000


def sample(  # noqa: PLR0917
    running: int | None = 0,
    waiting: int | None = 0,
    kv_usage: float | None = 0.0,
    e2e: tuple[int, int] | None = (0, 0),
    started: float | None = 1.0,
    counters: Mapping[str, int] | None = None,
) -> Sample:
    """A sample; `e2e` is the count and the sum in µs."""
    histograms: dict[str, Histogram | None] = dict.fromkeys(HISTOGRAMS)
    bounds = {}
    if e2e is not None:
        histograms["e2e"] = Histogram(e2e[0], e2e[1], (e2e[0],))
        bounds["e2e"] = (0.3,)
    ppm = None if kv_usage is None else round(kv_usage * 1e6)
    values = {"prompt_tokens": 0, "generation_tokens": 0, **(counters or {})}
    return Sample(
        counters={**dict.fromkeys((*COUNTERS, *TOTALS)), **values},
        gauges={"running": running, "waiting": waiting, "kv_usage": ppm},
        histograms=histograms,
        bounds=Bounds(bounds),
        process_start_s=started,
        model="m",
        cache_config={},
    )


def feed(accumulator: Accumulator, *scrapes: tuple[int, Sample]) -> list[Reading]:
    """Readings of samples at these µs of the monotonic clock; the wall clock goes along."""
    return [accumulator.add(Scrape(WALL + us // 1_000, us, one)) for us, one in scrapes]


def test_the_first_row_is_a_baseline() -> None:
    (first,) = feed(Accumulator(1, 1.0), (0, sample(3, 2, 0.5, counters={"preemptions": 7})))
    assert set(first.values) == set(VALUE_COLUMNS)
    assert first.values["preemptions"] == 7
    for name in ("watched_ms", "active_ms", "running_ms", "waiting_ms", "kv_usage_us"):
        assert first.values[name] == 0
    assert first.values["running_max"] == 3
    assert first.values["kv_usage_max_ppm"] == 500_000


def test_trapezoids() -> None:
    rows = feed(
        Accumulator(1, 1.0),
        (0, sample(2, 0, 0.0)),
        (1 * S, sample(4, 1, 0.5)),
        (2 * S, sample(4, 0, 0.5)),
    )
    last = rows[-1].values
    assert last["watched_ms"] == 2_000
    assert last["running_ms"] == 3_000 + 4_000
    assert last["waiting_ms"] == 500 + 500
    assert last["kv_usage_us"] == 250_000 + 500_000
    assert last["active_ms"] == 2_000


def test_rounding_does_not_add_up() -> None:
    """A third of a millisecond, three thousand times."""
    accumulator = Accumulator(1, 1.0)
    rows = feed(accumulator, *((round(i * 1_000 / 3), sample(1)) for i in range(3_001)))
    assert rows[-1].values["running_ms"] == 1_000
    assert rows[-1].values["watched_ms"] == 1_000


def test_nobody_watched_a_long_gap() -> None:
    rows = feed(
        Accumulator(1, 1.0),
        (0, sample(1)),
        (5 * S, sample(1)),
        (11 * S, sample(1)),
        (12 * S, sample(1)),
    )
    assert [row.values["watched_ms"] for row in rows] == [0, 5_000, 5_000, 6_000]
    assert [row.values["running_ms"] for row in rows] == [0, 5_000, 5_000, 6_000]
    assert [row.values["active_ms"] for row in rows] == [0, 5_000, 5_000, 6_000]


@pytest.mark.parametrize(("every_s", "gap_s"), [(0.25, 5), (1, 5), (2, 6), (10, 30)])
def test_longest_gap(every_s: float, gap_s: int) -> None:
    assert longest_gap_us(every_s) == gap_s * S


def test_a_gauge_the_engine_does_not_tell_stays_unknown() -> None:
    rows = feed(Accumulator(1, 1.0), (0, sample(None, None, None)), (S, sample(None, None, None)))
    for name in ("running_ms", "waiting_ms", "kv_usage_us", "active_ms", "running_max"):
        assert rows[-1].values[name] is None
    assert rows[-1].values["watched_ms"] == 1_000


def test_a_gauge_told_late_begins_then() -> None:
    rows = feed(
        Accumulator(1, 1.0),
        (0, sample(None)),
        (S, sample(4)),
        (2 * S, sample(4)),
        (3 * S, sample(4)),
    )
    assert [row.values["running_ms"] for row in rows] == [None, 0, 4_000, 8_000]


def test_rows_stay_in_order_when_the_wall_clock_is_set_back() -> None:
    accumulator = Accumulator(1, 1.0)
    times = [WALL, WALL + 1_000, WALL - 60_000, WALL - 59_000, WALL + 2_000]
    rows = [accumulator.add(Scrape(at, i * S, sample(1))) for i, at in enumerate(times)]
    assert [row.ts_ms - WALL for row in rows] == [0, 1_000, 1_001, 1_002, 2_000]
    assert rows[-1].values["running_ms"] == 4_000


class TestActiveTime:
    """The rule of `engines/recording/busy_time.py`."""

    def test_in_flight_at_both_ends(self) -> None:
        rows = feed(Accumulator(1, 1.0), (0, sample(1)), (S, sample(0, 3)))
        assert rows[-1].values["active_ms"] == 1_000

    def test_idle_ends_and_nothing_finished(self) -> None:
        rows = feed(Accumulator(1, 1.0), (0, sample()), (S, sample()))
        assert rows[-1].values["active_ms"] == 0

    def test_short_requests_between_idle_ends(self) -> None:
        rows = feed(Accumulator(1, 1.0), (0, sample(e2e=(0, 0))), (S, sample(e2e=(3, 150_000))))
        assert rows[-1].values["active_ms"] == 150

    def test_never_more_than_the_interval(self) -> None:
        rows = feed(Accumulator(1, 1.0), (0, sample(e2e=(0, 0))), (S, sample(e2e=(90, 90 * S))))
        assert rows[-1].values["active_ms"] == 1_000

    def test_a_long_request_begins_and_ends_halfway(self) -> None:
        rows = feed(
            Accumulator(1, 1.0),
            (0, sample()),
            (S, sample(1)),
            (2 * S, sample(1)),
            (3 * S, sample(0, e2e=(1, 2 * S))),
        )
        assert rows[-1].values["active_ms"] == 2_000

    @pytest.mark.parametrize("lasts", [20_000, 200_000, 700_000, 1_500_000, 30_000_000])
    @pytest.mark.parametrize("pause", [50_000, 900_000, 20_000_000])
    def test_near_the_truth_for_one_request_at_a_time(self, lasts: int, pause: int) -> None:
        """Requests of any length, one after another, scraped each second, for two hours."""
        dice = random.Random(7)
        now, started, finished = 0, [], []
        while now < 7_200 * S:
            now += round(dice.uniform(0.5, 1.5) * pause)
            started.append(now)
            now += lasts
            finished.append(now)
        active, estimate = ActiveTime(), 0
        flying, seen = 0, Histogram(0, 0, ())
        for at in range(S, 7_200 * S, S):
            done = bisect.bisect(finished, at)
            flying_now = bisect.bisect(started, at) - done
            now_seen = Histogram(done, done * lasts, ())
            estimate += active.between(flying, flying_now, (seen, now_seen), S)
            flying, seen = flying_now, now_seen
        truth = lasts * len(started)
        assert estimate == pytest.approx(truth, rel=0.13)

    @given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**9), st.integers(1, 10**7))
    def test_within_bounds(self, before: int, after: int, sum_us: int, interval_us: int) -> None:
        latencies = Histogram(0, 0, ()), Histogram(5, sum_us, ())
        found = ActiveTime().between(before, after, latencies, interval_us)
        assert 0 <= found <= interval_us


WORK = ("prompt_tokens", "generation_tokens", "iterations")
"""What any work moves."""


class TestContinuity:
    """When a run ends, and what is not a whole page."""

    def test_goes_on(self) -> None:
        assert (
            restarted(sample(e2e=(1, 5)), sample(e2e=(2, 9), counters={"preemptions": 3})) is None
        )

    def test_another_process(self) -> None:
        assert restarted(sample(started=1.0), sample(started=2.0))

    def test_counters_that_fall_together_are_another_life_where_no_start_is_told(self) -> None:
        before = sample(started=None, e2e=(5, 5), counters=dict.fromkeys(WORK, 5))
        after = sample(started=None, e2e=(1, 1), counters=dict.fromkeys(WORK, 1))
        assert restarted(before, after) == "its counters began anew"
        assert (
            restarted(replace(before, process_start_s=1.0), replace(after, process_start_s=1.0))
            is None
        )

    def test_one_that_falls_alone_proves_nothing(self) -> None:
        before = sample(started=None, e2e=(5, 5), counters=dict.fromkeys(WORK, 5))
        one = {**dict.fromkeys(WORK, 6), "prompt_tokens": 1}
        assert restarted(before, sample(started=None, e2e=(6, 6), counters=one)) is None
        assert restarted(sample(started=None, e2e=(5, 9)), sample(started=None, e2e=(5, 1))) is None

    def test_other_buckets(self) -> None:
        other = replace(sample(), bounds=Bounds({"e2e": (0.5,)}))
        assert "buckets" in (restarted(sample(), other) or "")

    def test_a_number_that_is_gone(self) -> None:
        assert lost(sample(), sample(running=None)) == "running"
        assert lost(sample(), sample(e2e=None)) == "e2e"
        assert lost(sample(counters={"preemptions": 1}), sample()) == "preemptions"
        assert lost(sample(running=None), sample()) is None


gauges = st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 1))
growth = st.integers(0, 10_000)
steps = st.lists(
    st.tuples(
        st.integers(1, 12 * S),
        st.integers(-5_000, 20_000),
        gauges,
        growth,
        st.sampled_from(["go on", "go on", "go on", "recorder restarts", "engine restarts"]),
    ),
    min_size=1,
    max_size=25,
)


@given(steps)
def test_no_difference_is_ever_negative(
    moves: list[tuple[int, int, tuple[int, int, float], int, str]],
) -> None:
    """Whatever restarts and whichever way the wall clock goes, rows of a run only grow."""
    rows: dict[int, list[Reading]] = {1: []}
    run, mono, wall, tokens, started = 1, 0, WALL, 0, 1.0
    accumulator = Accumulator(run, 1.0)
    previous: Sample | None = None
    for interval, wall_step, (running, waiting, usage), grown, event in moves:
        mono, wall, tokens = mono + interval, wall + wall_step, tokens + grown
        if event == "engine restarts":
            tokens, started = grown // 2, started + 1
        now = sample(
            running,
            waiting,
            usage,
            e2e=(tokens, tokens * 7),
            started=started,
            counters={"prompt_tokens": tokens},
        )
        if event == "recorder restarts" and rows[run]:
            last = rows[run][-1]
            assert continues(last, now.bounds, now)
            accumulator, mono = Accumulator(run, 1.0, last), mono % S
        elif previous is not None and restarted(previous, now):
            run += 1
            rows[run] = []
            accumulator = Accumulator(run, 1.0)
        rows[run].append(accumulator.add(Scrape(wall, mono, now)))
        previous = now
    for of_run in rows.values():
        for one, two in itertools.pairwise(of_run):
            assert two.ts_ms > one.ts_ms
            for name in CUMULATIVE_VALUES:
                was, later = one.values[name], two.values[name]
                assert was is None or (later is not None and later >= was), name


class TestDevices:
    """Held always, watched only while somebody looks."""

    def test_held_grows_over_a_gap_and_watched_does_not(self) -> None:
        device = DeviceAccumulator(1, 1.0)
        one = DeviceSample(9, busy_ppm=500_000, memory_mib=100, energy_mj=1_000)
        two = replace(one, energy_mj=61_000)
        first = device.add(one, WALL, 0)
        assert (first.held_ms, first.watched_ms, first.busy_us, first.energy_mj) == (0, 0, 0, 0)
        last = device.add(two, WALL + 60_000, 60 * S)
        assert (last.held_ms, last.watched_ms) == (60_000, 0)
        assert (last.busy_us, last.memory_mib_ms, last.energy_mj) == (0, 0, 60_000)
        seen = device.add(two, WALL + 61_000, 61 * S)
        assert (seen.held_ms, seen.watched_ms) == (61_000, 1_000)
        assert (seen.busy_us, seen.memory_mib_ms, seen.memory_max_mib) == (500_000, 100_000, 100)

    def test_a_share(self) -> None:
        device = DeviceAccumulator(1, 1.0)
        device.add(DeviceSample(9, share_ppm=1_000_000, energy_mj=0), WALL, 0)
        last = device.add(DeviceSample(9, share_ppm=500_000, energy_mj=100), WALL + 1_000, S)
        assert (last.held_ms, last.energy_mj) == (750, 75)

    def test_a_host_tells_nothing_but_time(self) -> None:
        device = DeviceAccumulator(1, 1.0)
        device.add(DeviceSample(9), WALL, 0)
        last = device.add(DeviceSample(9), WALL + 1_000, S)
        assert (last.held_ms, last.busy_us, last.memory_mib_ms) == (1_000, None, None)
        assert last.energy_mj is None

    def test_an_energy_counter_that_falls_adds_nothing(self) -> None:
        device = DeviceAccumulator(1, 1.0)
        device.add(DeviceSample(9, energy_mj=500), WALL, 0)
        assert device.add(DeviceSample(9, energy_mj=20), WALL + 1_000, S).energy_mj == 0

    def test_the_time_without_a_recorder_was_held(self) -> None:
        before = DeviceAccumulator(1, 1.0)
        before.add(DeviceSample(9), WALL, 0)
        last = before.add(DeviceSample(9), WALL + 1_000, S)
        after = DeviceAccumulator(1, 1.0, last)
        resumed = after.add(DeviceSample(9), WALL + 31_000, 5 * S)
        assert (resumed.held_ms, resumed.watched_ms) == (31_000, 1_000)
        back = DeviceAccumulator(1, 1.0, last).add(DeviceSample(9), WALL - 5_000, 0)
        assert back.held_ms == 1_000
