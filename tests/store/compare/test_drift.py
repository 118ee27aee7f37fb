"""What the ledger's own past says of how windows differ by themselves."""

from __future__ import annotations

import random
from pathlib import Path

from store.compare.comparison import Span, compare, compare_sides
from store.compare.drift import FEWEST_PAIRS, drift_between
from store.compare.sides.side import read_side
from store.records import Change
from store.tables.changes import record
from tests.store.compare.test_compare import PRICES
from tests.store.synthetic import Engine, Second, make_engine

WINDOW_S = 60


def levels(engine: Engine, count: int, spread: int) -> list[int]:
    """Windows at levels of load that differ, each steady in itself; the ends of all."""
    source = random.Random(9)
    ends = [engine.ms]
    for _ in range(count):
        rate = 100 + source.randint(-spread, spread)
        engine.run(WINDOW_S, lambda _, rate=rate: Second(requests=rate + source.randint(-3, 3)))  # type: ignore[misc]
        ends.append(engine.ms)
    return ends


def last_two(engine: Engine, ends: list[int]) -> tuple[Span, Span]:
    return (
        Span(engine.engine_id, ends[-3], ends[-2], "a"),
        Span(engine.engine_id, ends[-2], ends[-1], "b"),
    )


def test_windows_that_differ_by_themselves_widen_the_interval(tmp_path: Path) -> None:
    steady, drifting = make_engine(tmp_path / "s.db"), make_engine(tmp_path / "d.db")
    widths = []
    for engine, spread in ((steady, 0), (drifting, 8)):
        found = compare(engine.ledger, *last_two(engine, levels(engine, 20, spread)), PRICES)
        interval = found.metrics["cost_per_request_usd"].ratio_interval
        assert interval is not None
        assert found.drift is not None
        assert found.drift.pairs >= FEWEST_PAIRS
        assert not any("drift" in reason for reason in found.reasons)
        widths.append(interval[1] / interval[0] - 1)
    assert widths[1] > 3 * widths[0]


def test_steps_between_windows_are_called_effects_only_where_nobody_knows_better(
    tmp_path: Path,
) -> None:
    """Neighbours that differ by as much as all neighbours before them."""
    engine = make_engine(tmp_path / "l.db")
    ends = levels(engine, 24, 8)
    called, called_by_noise = 0, 0
    for last in range(18, 25):
        a, b = (
            read_side(engine.ledger, span, PRICES) for span in last_two(engine, ends[: last + 1])
        )
        drift = drift_between(engine.ledger, a, b, PRICES)
        assert drift is not None
        known = compare_sides(engine.ledger, a, b, PRICES, drift=drift)
        called += known.verdict in ("better", "worse")
        alone = compare_sides(engine.ledger, a, b, PRICES)
        called_by_noise += alone.verdict in ("better", "worse")
    assert called <= 1
    assert called_by_noise >= called + 3


def test_too_little_past_is_said_with_a_way_to_know(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    found = compare(engine.ledger, *last_two(engine, levels(engine, 4, 0)), PRICES)
    assert found.drift is not None
    assert not found.drift.spreads
    assert any("drift between the windows is not known" in reason for reason in found.reasons)
    assert any("back and forth" in reason for reason in found.reasons)


def test_what_was_touched_is_no_placebo(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    ends = levels(engine, 20, 0)
    for index, at_ms in enumerate(ends[1:-3:2]):
        change = Change(
            f"c{index}", at_ms + 30_000, "max_num_seqs", index, index + 1, "applied", "set", "me"
        )
        record(engine.ledger, engine.run_id, change)
    a, b = (read_side(engine.ledger, span, PRICES) for span in last_two(engine, ends))
    drift = drift_between(engine.ledger, a, b, PRICES)
    assert drift is not None
    assert drift.pairs == 0


def test_overlapping_windows_have_no_placebo(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    ends = levels(engine, 12, 0)
    span = Span(engine.engine_id, ends[-3], ends[-1])
    side = read_side(engine.ledger, span, PRICES)
    assert drift_between(engine.ledger, side, side, PRICES) is None
