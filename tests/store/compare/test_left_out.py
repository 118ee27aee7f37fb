"""Blocks that a comparison leaves out, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from store.compare.comparison import Span, compare
from store.reports.outcomes import RUNNING
from store.reports.swap import ROLLED_BACK, SwapReport
from store.tables import swaps
from tests.store.compare.test_compare import PRICES, noisy
from tests.store.synthetic import Second, make_engine


def test_a_restart_and_a_gap_leave_their_blocks_out_and_are_said(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    start = engine.run(1)
    engine.run(60, noisy(10))
    engine.run(5, Second(watched=False))
    engine.run(35, noisy(10))
    middle = engine.ms
    engine.run(32, noisy(10))
    engine.ms += 4000
    engine.start()
    end = engine.run(64, noisy(10))
    found = compare(
        engine.ledger,
        Span(engine.engine_id, start, middle, "before"),
        Span(engine.engine_id, middle, end, "after"),
        PRICES,
    )
    assert found.windows[0].left_out == {"not watched": 6.0}
    assert found.windows[1].left_out == {"restart": 4.0}
    assert any("after spans a restart" in reason for reason in found.reasons)
    assert "6 s of before left out: not watched" in found.reasons
    assert found.metrics["request_rate"].blocks == (94, 96)
    assert found.verdict == "no difference shown"


def test_blocks_in_which_a_swap_ran_are_left_out(tmp_path: Path) -> None:
    """It measured the engine and started another one beside it, which no load of the users did."""
    engine = make_engine(tmp_path / "l.db")
    start = engine.run(1)
    engine.run(60, noisy(10))
    middle = engine.ms
    engine.run(20, noisy(10))
    began = engine.ms
    engine.run(25, noisy(3))
    swap = SwapReport("s", began, "int4", "overlap", ROLLED_BACK, took_s=24.5)
    swaps.record(engine.ledger, engine.engine_id, swap)
    end = engine.run(55, noisy(10))
    found = compare(
        engine.ledger,
        Span(engine.engine_id, start, middle, "before"),
        Span(engine.engine_id, middle, end, "after"),
        PRICES,
    )
    assert found.windows[0].left_out == {}
    assert found.windows[1].left_out == {"a swap ran": 25.0}
    assert "25 s of after left out: a swap ran" in found.reasons
    assert found.metrics["request_rate"].b == pytest.approx(10, rel=0.1)
    running = replace(swap, id="t", ts_ms=end - 1_000, outcome=RUNNING, took_s=None)
    swaps.record(engine.ledger, engine.engine_id, running)
    assert swaps.times(engine.ledger, engine.engine_id, middle, end) == [
        (began, began + 24_500),
        (end - 1_000, end),
    ]
