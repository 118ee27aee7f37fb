"""Chart values kept from tick to tick are what a fresh reading of the ledger would give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.tui.feed import series
from app.tui.feed.chart_specs import CHARTS
from app.tui.feed.series import SeriesCache
from store.ledger.connection import Ledger
from store.metrics.measure import SPECS
from store.metrics.prices import PriceBook
from tests.store.synthetic import START_MS, Engine, Second, make_engine

SLOT_MS = 2_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = make_engine(tmp_path / "l.db")
    yield made
    made.ledger.close()


def fresh(ledger: Ledger, until_ms: int) -> series.Series:
    return SeriesCache(1, SLOT_MS, PriceBook()).update(ledger, until_ms, [])


@pytest.mark.parametrize("back_ms", [3_000, 5_000, 3_600_000])
def test_charts_go_on_after_the_clock_was_set_back(engine: Engine, back_ms: int) -> None:
    cache = SeriesCache(1, SLOT_MS, PriceBook())
    for _ in range(30):
        engine.tick(Second())
    assert cache.update(engine.ledger, engine.ms, []).last_slot == engine.ms // SLOT_MS - 1
    engine.ms -= back_ms
    engine.start()  # the recorder begins a new run where the clock jumped
    for _ in range(12):
        engine.tick(Second(output_per_request=70))
        drawn = cache.update(engine.ledger, engine.ms, [])
        assert drawn == fresh(engine.ledger, engine.ms)
    assert drawn.values["generation_rate"]


def test_a_tick_reads_only_what_is_new(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[int] = []

    def counted(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int, step_ms: int) -> object:
        spans.append((to_ms - from_ms) // step_ms)
        return []

    monkeypatch.setattr(series, "read_steps", counted)
    cache = SeriesCache(1, SLOT_MS, PriceBook())
    for second in (0, 1, 2, 3, 4, 4):
        cache.update(engine.ledger, START_MS + 1_000 * second, [])
    assert spans == [series.SLOTS_KEPT, 1, 1]


def test_a_chart_draws_only_what_adds_up_over_slots() -> None:
    kinds = {line.metric: SPECS[line.metric].kind for chart in CHARTS for line in chart.lines}
    assert set(kinds.values()) <= {"total", "ratio"}, kinds
