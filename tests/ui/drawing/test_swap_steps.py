"""What a swap's row tells of its steps, and how what was learned is put into words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.offers.expectation import left_text, seconds, start_left, verified_in, waiting_text
from app.offers.offer import Expected
from app.tui.drawing.swap_steps import phase, silent_s, steps_of, waiting_s
from store.compare.overlap_cost import TrafficKept
from store.ledger.connection import Ledger
from store.reports.step_line import lines_to_json
from store.reports.swap import SwapReport
from store.tables.starts import TimeLeft
from tests.ui import seed_swaps
from tests.ui.seed import NOW_MS, Scenario, seed


def states(swap: SwapReport, elapsed: float = 34.0) -> dict[str, str]:
    return {step.name: step.state for step in steps_of(swap, elapsed)}


def test_steps_that_were_the_one_that_is_and_those_to_come() -> None:
    found = steps_of(seed_swaps.running(), 34.0)
    assert [(step.name, step.state) for step in found] == [
        ("plan", "done"),
        ("check", "done"),
        ("measure", "done"),
        ("start", "now"),
        ("verify", "next"),
        ("take over", "next"),
        ("drain", "next"),
    ]
    took = [step.took_s for step in found]
    assert took[:4] == pytest.approx([0.6, 7.1, 4.4, 21.9])
    assert took[4:] == [None, None, None]
    assert found[3].text == "loading weights"


def test_a_stop_start_drains_before_it_starts() -> None:
    assert list(states(seed_swaps.waiting())) == [
        *("plan", "check", "measure", "drain", "start", "verify", "take over")
    ]


def test_what_failed_is_the_step_before_the_way_back() -> None:
    found = states(seed_swaps.rolled_back())
    assert [name for name, state in found.items() if state == "failed"] == ["verify"]
    assert found["roll back"] == "done" and "take over" not in found


def test_a_way_back_that_is_under_way_has_nothing_to_come() -> None:
    told = seed_swaps.steps(*seed_swaps.BEGIN, (20.0, "roll back", "ending process 1"))
    found = states(seed_swaps.running(evidence={"steps": told}))
    assert found["roll back"] == "now" and "next" not in found.values()


@pytest.mark.parametrize("told", [None, "x", [None, 1, {}], [{"step": "plan", "at_s": "soon"}]])
def test_a_row_of_another_program_breaks_nothing(told: Any) -> None:
    swap = seed_swaps.running(evidence={"steps": told, "start": {"phases": {"x": "y"}}})
    assert phase(swap) == "begins"
    assert set(states(swap).values()) == {"next"}


def test_who_waits_is_known_from_the_drain_to_the_taking_over() -> None:
    assert waiting_s(seed_swaps.running(), 34.0) is None
    assert waiting_s(seed_swaps.waiting(), 34.0) == pytest.approx(22.0)
    taken = lines_to_json(seed_swaps.waiting().steps) + seed_swaps.steps((30.0, "take over", ""))
    after = seed_swaps.running(strategy="stop-start", evidence={"steps": taken})
    assert waiting_s(after, 34.0) is None


def test_silence_is_told_only_when_it_is_long() -> None:
    assert silent_s(seed_swaps.running(), 100.0) is None
    assert silent_s(seed_swaps.running(), 2000.0) == pytest.approx(1975.6)


def test_what_is_left_counts_from_the_start_of_the_new_engine(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=10, change_at=None))
    seed_swaps.keep(path, seed_swaps.running())
    with Ledger.open(path, readonly=True) as ledger:
        left = start_left(ledger, seed_swaps.running(), NOW_MS)
        broken = seed_swaps.running(evidence={"start": {"model": seed_swaps.MODEL}})
        assert start_left(ledger, broken, NOW_MS) is None
        assert start_left(ledger, seed_swaps.running(evidence={}), NOW_MS) is None
    assert left is not None
    assert (left.low_s, left.high_s, left.starts) == (pytest.approx(7.1), pytest.approx(11.6), 3)


def test_earlier_verifications_are_learned_from() -> None:
    found = verified_in([seed_swaps.running(), seed_swaps.done(), seed_swaps.rolled_back()])
    assert found is not None
    assert (found.low_s, found.high_s, found.starts) == (
        pytest.approx(5.3),
        pytest.approx(5.4),
        2,
    )
    assert verified_in([seed_swaps.running()]) is None


UNTOLD = "what it slows the traffic is not known yet"


@pytest.mark.parametrize(
    ("low_s", "high_s", "text"),
    [(7.6, 8.4, "8 s"), (20, 25, "20 to 25 s"), (0, 90, "0 to 90 s"), (170, 250, "3 to 4 min")],
)
def test_spans_of_time(low_s: float, high_s: float, text: str) -> None:
    assert seconds(low_s, high_s) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "no earlier start to learn from"),
        (TimeLeft(8, 12, 3), "8 to 12 s left, as in 3 earlier starts"),
        (TimeLeft(0, 0, 3), "longer than all 3 earlier starts"),
        (TimeLeft(0, 0, 1), "longer than the earlier start"),
    ],
)
def test_time_left_in_words(found: TimeLeft | None, text: str) -> None:
    assert left_text(found) == text


@pytest.mark.parametrize(
    ("strategy", "expected", "text"),
    [
        ("overlap", Expected(), f"nobody waits; no earlier start to learn from; {UNTOLD}"),
        ("stop-start", Expected(), "new connections wait; no earlier start to learn from"),
        (
            "overlap",
            Expected(alone=TimeLeft(20, 25, 2)),
            "nobody waits; no earlier start beside a running engine (alone 20 to 25 s); " + UNTOLD,
        ),
        (
            "stop-start",
            Expected(beside=TimeLeft(40, 40, 2), traffic_kept=TrafficKept(0.2, 0.4, 1)),
            "new connections wait; no earlier start alone (beside a running engine 40 s)",
        ),
        (
            "stop-start",
            Expected(alone=TimeLeft(20, 25, 2)),
            "new connections wait 20 to 25 s (2 earlier starts) and while it is verified",
        ),
        (
            "stop-start",
            Expected(alone=TimeLeft(20, 25, 2), verification=TimeLeft(5, 7, 1)),
            "new connections wait 25 to 32 s (2 earlier starts)",
        ),
        (
            "overlap",
            Expected(beside=TimeLeft(30, 30, 1)),
            f"nobody waits; it starts in 30 s (1 earlier start), then it is verified; {UNTOLD}",
        ),
        (
            "overlap",
            Expected(
                beside=TimeLeft(30, 30, 1),
                verification=TimeLeft(5, 7, 1),
                traffic_kept=TrafficKept(0.26, 0.4, 2),
            ),
            "nobody waits; ready and verified in 35 to 37 s (1 earlier start); traffic goes on at "
            "26 to 40 % of its tok/s (2 earlier swaps)",
        ),
    ],
)
def test_what_a_swap_costs_in_waiting(strategy: str, expected: Expected, text: str) -> None:
    assert waiting_text(strategy, expected) == text
