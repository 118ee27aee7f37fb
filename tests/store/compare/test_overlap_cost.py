"""What earlier overlaps left of the traffic is measured, and told only where there was some."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.compare.overlap_cost import TrafficKept, traffic_kept
from store.reports.outcomes import DONE
from store.reports.step_line import StepLine
from store.reports.swap import StartReport, SwapReport
from tests.store.synthetic import Engine, Second, make_engine

BUSY, SLOWED, IDLE = Second(requests=10), Second(requests=4), Second(requests=0)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = make_engine(tmp_path / "l.db")
    engine.run(1)
    return engine


def swap(ts_ms: int, *, beside: bool = True, start: StartReport | None = None) -> SwapReport:
    """Eight seconds of checks, a start of 40 s, then it is verified."""
    return SwapReport(
        str(ts_ms),
        ts_ms,
        "int4",
        "overlap",
        DONE,
        took_s=60.0,
        steps=(StepLine(8.0, "start", "process 1"), StepLine(48.0, "verify", "it answers")),
        start=start or StartReport("m", "key", beside=beside, at_s=8.0),
    )


def ran(engine: Engine, before: Second, meanwhile: Second) -> int:
    """A minute of traffic, a swap of a minute; when it began."""
    began = engine.run(60, before)
    engine.run(8, before)
    engine.run(40, meanwhile)
    engine.run(12, before)
    return began


def test_the_share_of_the_speed_that_was_kept(engine: Engine) -> None:
    first = swap(ran(engine, BUSY, SLOWED))
    assert traffic_kept(engine.ledger, engine.engine_id, [first]) == TrafficKept(0.4, 0.4, 1)
    second = swap(ran(engine, BUSY, Second(requests=7)))
    kept = traffic_kept(engine.ledger, engine.engine_id, [second, first])
    assert kept == TrafficKept(0.4, 0.7, 2)


def test_without_traffic_there_is_nothing_to_learn(engine: Engine) -> None:
    idle = swap(ran(engine, IDLE, IDLE))
    assert traffic_kept(engine.ledger, engine.engine_id, [idle]) is None


def test_traffic_that_stopped_altogether_kept_nothing(engine: Engine) -> None:
    starved = swap(ran(engine, BUSY, IDLE))
    assert traffic_kept(engine.ledger, engine.engine_id, [starved]) == TrafficKept(0, 0, 1)


@pytest.mark.parametrize("start", [StartReport(beside=False, at_s=8.0), StartReport(beside=True)])
def test_what_was_no_overlap_or_never_began_tells_nothing(
    engine: Engine, start: StartReport
) -> None:
    alone = swap(ran(engine, BUSY, SLOWED), start=start)
    assert traffic_kept(engine.ledger, engine.engine_id, [alone]) is None


def test_a_swap_that_nobody_recorded_tells_nothing(engine: Engine) -> None:
    unseen = swap(engine.ms + 3_600_000)
    assert traffic_kept(engine.ledger, engine.engine_id, [unseen]) is None
