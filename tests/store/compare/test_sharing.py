"""A neighbour on a shared device makes no request cheaper or dearer by coming or going."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.compare.comparison import Comparison, Span, compare
from store.metrics.prices import PriceBook
from store.records import DeviceNote
from store.tables.device_notes import keep
from tests.store.compare.test_compare import noisy
from tests.store.synthetic import HOST, make_engine

PRICES = PriceBook(host_usd_per_hour=0.36)
NEIGHBOUR = "shared with 1 other engine, by CPU time"


def with_neighbour(
    tmp_path: Path, before: int, after: int, share: float, told: str = NEIGHBOUR
) -> Comparison:
    """`before` requests a second alone, then `after` with that part of the host."""
    engine = make_engine(tmp_path / "l.db", device=HOST)
    start = engine.ms
    keep(engine.ledger, engine.run_id, [DeviceNote(HOST.uuid, "certain", "")], start)
    middle = engine.run(100, noisy(before))
    engine.share = share
    keep(engine.ledger, engine.run_id, [DeviceNote(HOST.uuid, "certain", told)], middle)
    end = engine.run(100, noisy(after, 1))
    a = Span(engine.engine_id, start, middle, "before")
    b = Span(engine.engine_id, middle, end, "after")
    return compare(engine.ledger, a, b, PRICES)


def test_a_neighbour_that_slows_us_makes_us_worse_by_the_whole_of_it(tmp_path: Path) -> None:
    """By its part of the bill a request would cost 1.4 times as much; it is 2.5 times."""
    found = with_neighbour(tmp_path, 50, 20, 0.55)
    assert found.verdict == "worse"
    assert found.metrics["cost_per_request_usd"].ratio == pytest.approx(1.4, rel=0.1)
    assert found.metrics["request_rate"].ratio == pytest.approx(0.4, rel=0.1)
    for name in ("cost_per_request_usd", "tokens_per_usd", "cost_usd"):
        assert found.metrics[name].verdict in ("not comparable", None)
    assert found.metrics["cost_per_request_usd"].verdict == "not comparable"
    (reason,) = [each for each in found.reasons if "shared otherwise" in each]
    assert f"before: 100% its own; after: 55% its own, {NEIGHBOUR}" in reason
    assert "judged by requests/s" in reason


def test_a_neighbour_that_takes_nothing_from_us_makes_us_no_cheaper(tmp_path: Path) -> None:
    found = with_neighbour(tmp_path, 50, 50, 0.5)
    assert found.metrics["cost_per_request_usd"].ratio == pytest.approx(0.5, rel=0.1)
    assert found.verdict == "no difference shown"


def test_where_the_same_is_shared_as_before_its_cost_decides(tmp_path: Path) -> None:
    found = with_neighbour(tmp_path, 10, 20, 0.99)
    assert found.verdict == found.metrics["cost_per_request_usd"].verdict == "better"
    assert not any("shared otherwise" in reason for reason in found.reasons)


def test_a_device_that_was_held_later_and_alone_was_not_shared(tmp_path: Path) -> None:
    found = with_neighbour(tmp_path, 20, 20, 0.9, told="")
    assert not any("shared otherwise" in reason for reason in found.reasons)
