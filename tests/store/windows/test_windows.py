"""Window arithmetic, on real ledgers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.ledger.connection import Ledger
from store.reading_columns import CUMULATIVE_VALUES, HISTOGRAMS, MAXIMA, Bounds, Histogram, Reading
from store.records import RunInfo
from store.tables.readings import append
from store.tables.runs import open_run
from store.windows.histograms import HistogramWindow
from store.windows.window import Window, add, read_window
from tests.store.strategies import Life, Step, histories, write_history
from tests.store.synthetic import Second, make_engine, thin

_EXAMPLES = settings(max_examples=60)


@contextmanager
def _written(history: list[Life]) -> Iterator[tuple[Ledger, int, list[list[int]]]]:
    with tempfile.TemporaryDirectory() as folder:
        ledger, engine_id, times = write_history(Path(folder) / "l.db", history)
        with ledger:
            yield ledger, engine_id, times


@_EXAMPLES
@given(history=histories, data=st.data())
def test_any_thinning_leaves_the_window_unchanged(history: list[Life], data: st.DataObject) -> None:
    with _written(history) as (ledger, engine_id, times):
        instants = sorted(at for run in times for at in run)
        start = data.draw(st.sampled_from(instants))
        end = data.draw(st.sampled_from([at for at in instants if at >= start]))
        before = read_window(ledger, engine_id, start, end)
        kept = _ends(times, start, end)
        dropped = data.draw(st.sets(st.sampled_from(instants)))
        for run_id, run in enumerate(times, start=1):
            _drop(ledger, run_id, run, dropped - kept)
        assert read_window(ledger, engine_id, start, end) == before


@_EXAMPLES
@given(history=histories, keep_every_ms=st.sampled_from((1_000, 60_000, 3_600_000)))
def test_thin_leaves_every_remaining_window_unchanged(
    history: list[Life], keep_every_ms: int
) -> None:
    with _written(history) as (ledger, engine_id, times):
        instants = sorted(at for run in times for at in run)
        pairs = [(a, b) for a in instants[:6] for b in instants[-6:] if a < b]
        before = {pair: read_window(ledger, engine_id, *pair) for pair in pairs}
        for run_id, run in enumerate(times, start=1):
            thin(ledger, run_id, run[-1] + 1, keep_every_ms)
        left = {row[0] for row in ledger.conn.execute("SELECT ts_ms FROM readings")}
        assert {run[0] for run in times} | {run[-1] for run in times} <= left
        for (start, end), window in before.items():
            if _ends(times, start, end) <= left:
                assert read_window(ledger, engine_id, start, end) == window


@_EXAMPLES
@given(history=histories, data=st.data())
def test_windows_that_meet_add_up(history: list[Life], data: st.DataObject) -> None:
    with _written(history) as (ledger, engine_id, times):
        instants = sorted(at for run in times for at in run)
        a, b, c = sorted(data.draw(st.lists(st.sampled_from(instants), min_size=3, max_size=3)))
        whole = read_window(ledger, engine_id, a, c)
        parts = [read_window(ledger, engine_id, *ends) for ends in ((a, b), (b, c))]
        known = [part for part in parts if part is not None]
        assert (whole is None) == (not known)
        if whole is not None:
            summed = known[0] if len(known) == 1 else add(*known)
            assert replace(summed, devices=()) == replace(whole, devices=())
            assert {one.device: one.held_ms for one in summed.devices} == {
                one.device: one.held_ms for one in whole.devices
            }


@_EXAMPLES
@given(history=histories, start=st.integers(-10, 4_000_000), length=st.integers(0, 4_000_000))
def test_no_difference_is_negative_and_all_names_are_there(
    history: list[Life], start: int, length: int
) -> None:
    with _written(history) as (ledger, engine_id, times):
        begin = times[0][0] + start
        window = read_window(ledger, engine_id, begin, begin + length)
        if window is None:
            return
        assert window.from_ms < window.to_ms <= begin + length
        assert tuple(window.totals) == CUMULATIVE_VALUES
        assert tuple(window.maxima) == MAXIMA
        assert tuple(window.histograms) == HISTOGRAMS
        assert all(value is None or value >= 0 for value in window.totals.values())
        for one in window.histograms.values():
            assert one is None or min(one.histogram.buckets) >= 0


bounds_lists = st.lists(
    st.sampled_from((0.1, 0.2, 0.3, 0.5, 1.0, 2.0)), min_size=1, unique=True
).map(lambda bounds: tuple(sorted(bounds)))


@st.composite
def histogram_windows(draw: st.DrawFn) -> HistogramWindow:
    bounds = draw(bounds_lists)
    counts = draw(st.lists(st.integers(0, 9), min_size=len(bounds), max_size=len(bounds)))
    over = draw(st.integers(0, 5))
    histogram = Histogram(sum(counts) + over, draw(st.integers(0, 99)), tuple(counts))
    return HistogramWindow(bounds, histogram)


def _below(window: HistogramWindow, bound: float) -> int:
    pairs = zip(window.bounds, window.histogram.buckets, strict=True)
    return sum(count for upper, count in pairs if upper <= bound)


@given(a=histogram_windows(), b=histogram_windows())
def test_merging_histograms_conserves_counts(a: HistogramWindow, b: HistogramWindow) -> None:
    merged = add(_window({"ttft": a}), _window({"ttft": b})).histograms["ttft"]
    assert merged is not None
    assert merged.bounds == tuple(sorted(set(a.bounds) & set(b.bounds)))
    assert merged.histogram.count == a.histogram.count + b.histogram.count
    assert merged.histogram.sum_us == a.histogram.sum_us + b.histogram.sum_us
    for bound in merged.bounds:
        assert _below(merged, bound) == _below(a, bound) + _below(b, bound)
    assert sum(merged.histogram.buckets) <= merged.histogram.count


def test_a_window_snaps_to_the_rows_at_or_before_its_ends(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    engine.run(10, Second(requests=3))
    window = read_window(engine.ledger, engine.engine_id, start + 2_900, start + 7_400)
    assert window is not None
    assert (window.from_ms, window.to_ms, window.runs) == (start + 2_000, start + 7_000, 1)
    assert window.totals["requests_stop"] == 15


def test_a_window_from_before_the_run_starts_at_its_first_row(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    engine.run(4)
    window = read_window(engine.ledger, engine.engine_id, 0, start + 10**9)
    assert window is not None
    assert (window.from_ms, window.to_ms) == (start, start + 4_000)


def test_fewer_than_two_rows_are_no_window(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    assert read_window(engine.ledger, engine.engine_id, 0, start + 5_000) is None
    engine.run(2)
    assert read_window(engine.ledger, engine.engine_id, start + 1_000, start + 1_000) is None
    assert read_window(engine.ledger, engine.engine_id, start + 1_500, start + 1_900) is None
    assert read_window(engine.ledger, engine.engine_id, start + 2_000, start + 9_000) is None
    assert read_window(engine.ledger, engine.engine_id, 0, start - 1) is None
    assert read_window(engine.ledger, 99, 0, start + 9_000) is None


def test_a_restart_is_two_runs_and_no_negative_rate(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    engine.run(5, Second(requests=7))
    engine.ms += 30_000
    engine.start()
    engine.run(5, Second(requests=2))
    window = read_window(engine.ledger, engine.engine_id, start, engine.ms)
    assert window is not None
    assert window.runs == 2
    assert window.run_ids == (1, 2)
    assert window.totals["requests_stop"] == 5 * 7 + 5 * 2
    assert window.devices[0].held_ms == 10_000


def test_what_one_run_does_not_tell_the_window_does_not_know() -> None:
    life = Life(0, (Step(1_000, 5, 3, True), Step(1_000, 5, 3, True)), None)
    mute = replace(life, unknown="preemptions")
    no_histogram = replace(life, unknown="ttft")
    with _written([life, mute, no_histogram]) as (ledger, engine_id, times):
        window = read_window(ledger, engine_id, 0, times[-1][-1])
    assert window is not None
    assert window.totals["preemptions"] is None
    assert window.totals["prompt_tokens"] == 15
    assert window.histograms["ttft"] is None
    assert window.histograms["e2e"] is not None


def test_runs_with_other_buckets_are_merged_on_the_bounds_they_share(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.ms
    engine.run(2, Second(ttft=(1, 2, 3, 4, 5)))
    info = RunInfo("http://h:8000", "e", bounds=Bounds({"ttft": (0.3, 3.0, 9.0)}))
    run_id = open_run(engine.ledger, engine.engine_id, info, engine.ms)
    for second in (1, 2):
        row = Histogram(10 * second, 0, (second, 2 * second, 3 * second))
        append(
            engine.ledger,
            Reading(run_id, engine.ms + 1_000 * second, {}, dict.fromkeys(HISTOGRAMS, row)),
        )
    window = read_window(engine.ledger, engine.engine_id, start, engine.ms + 9_000)
    assert window is not None
    merged = window.histograms["ttft"]
    assert merged == HistogramWindow((0.3, 3.0), Histogram(30 + 10, 0, (6 + 1, 14 + 2)))
    assert window.histograms["e2e"] is None


def test_maxima_over_whole_minutes_and_their_ends(tmp_path: Path) -> None:
    waits = [(900, 40), (1_000, 1), (58_000, 2), (61_000, 30), (65_000, 3), (1_000, 50), (9, 4)]
    steps = tuple(Step(wait, 1, peak, True) for wait, peak in waits)
    ledger, engine_id, [times] = write_history(tmp_path / "l.db", [Life(0, steps, None)])
    for first in range(len(times)):
        for last in range(first + 1, len(times)):
            window = read_window(ledger, engine_id, times[first], times[last])
            assert window is not None
            expected = max(peak for _, peak in waits[first + 1 : last + 1])
            assert window.maxima["running_max"] == expected
            assert window.devices[0].memory_max_mib == expected


@pytest.mark.parametrize("ends", [(0, 3), (1, 2)])
def test_a_device_that_joins_or_leaves_counts_while_it_is_there(
    tmp_path: Path, ends: tuple[int, int]
) -> None:
    seen = (True, False, True, False)
    steps = tuple(Step(1_000, 10, 1, there) for there in seen)
    ledger, engine_id, [times] = write_history(tmp_path / "l.db", [Life(0, steps, None)])
    window = read_window(ledger, engine_id, times[ends[0]], times[ends[1]])
    assert window is not None
    assert window.devices[0].held_ms == 20


def _window(histograms: dict[str, HistogramWindow | None]) -> Window:
    return Window(1, 0, 1, 1, {}, {}, histograms)


def _ends(times: list[list[int]], start: int, end: int) -> set[int]:
    """The rows that a window over [start, end] is taken from."""
    kept = set()
    for run in times:
        kept.add(max((at for at in run if at <= start), default=run[0]))
        kept.add(max((at for at in run if at <= end), default=run[0]))
    return kept


def _drop(ledger: Ledger, run_id: int, run: list[int], dropped: set[int]) -> None:
    """Thin one run by hand as the ledger's rule says: fold the maxima of what goes forward."""
    for at in run:
        following = [later for later in run if later > at]
        if at not in dropped or not following:
            continue
        for table, columns in (("reading_rows", MAXIMA), ("device_readings", ("memory_max_mib",))):
            if table == "device_readings":
                present = {
                    row[0]
                    for row in ledger.conn.execute(
                        "SELECT ts_ms FROM device_readings WHERE run_id = ?", (run_id,)
                    )
                }
                if following[0] not in present or at == run[0]:
                    continue
            for column in columns:
                ledger.conn.execute(
                    f"UPDATE {table} SET {column} = max({column}, (SELECT {column} FROM {table} "
                    "WHERE run_id = ?1 AND ts_ms = ?2)) WHERE run_id = ?1 AND ts_ms = ?3 "
                    f"AND EXISTS (SELECT 1 FROM {table} WHERE run_id = ?1 AND ts_ms = ?2)",
                    (run_id, at, following[0]),
                )
            ledger.conn.execute(f"DELETE FROM {table} WHERE run_id = ? AND ts_ms = ?", (run_id, at))
