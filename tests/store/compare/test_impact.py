from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

from store.compare.impact import AFTER_MS, BEFORE_MS, LAG_MS, Impact, ImpactWatch
from store.metrics.prices import PriceBook
from store.records import VARIANT, Change
from store.tables.changes import SETTLE_MS, carried_over, record
from tests.store.synthetic import START_MS, Engine, Second, make_engine

PRICES = PriceBook({"H100": 3.6})


def change(
    engine: Engine,
    name: str = "c1",
    *,
    at_ms: int | None = None,
    knob: str = "enable_prefix_caching",
    outcome: Literal["applied", "refused"] = "applied",
) -> Change:
    made = Change(
        name, engine.ms if at_ms is None else at_ms, knob, False, True, outcome, "set", "me"
    )
    record(engine.ledger, engine.run_id, made)
    return made


def seen(engine: Engine, made: Change, now_ms: int | None = None) -> Impact:
    now = engine.ms + LAG_MS if now_ms is None else now_ms
    return ImpactWatch(engine.ledger, engine.engine_id, PRICES).look(made, now)


WASHOUT_MS = 1_000
"""Requests of the made-up engine take 0.28 s: the shortest time there is."""


def busy(engine: Engine, seconds: int, rate: int) -> None:
    source = random.Random(rate)
    engine.run(seconds, lambda _: Second(requests=source.randint(rate - 2, rate + 2)))


def test_it_grows_with_each_second_and_then_stands(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 400, 10)
    made = change(engine)
    watch = ImpactWatch(engine.ledger, engine.engine_id, PRICES)
    lengths = []
    for _ in range(12):
        busy(engine, 1, 20)
        lengths.append(watch.look(made, engine.ms + LAG_MS).seconds)
    assert lengths == [(0.0, 0.0), *((BEFORE_MS / 1000, n) for n in range(1, 12))]
    busy(engine, 700, 20)
    assert watch.look(made, engine.ms + LAG_MS).seconds == (BEFORE_MS / 1000, AFTER_MS / 1000)


def test_a_look_that_goes_on_says_what_a_first_look_says(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    made = change(engine)
    watch = ImpactWatch(engine.ledger, engine.engine_id, PRICES)
    for _ in range(9):
        busy(engine, 31, 14)
        went_on = watch.look(made, engine.ms + LAG_MS)
        first_look = seen(engine, made)
        assert went_on.comparison is not None
        assert first_look.comparison is not None
        assert went_on.comparison.metrics == first_look.comparison.metrics
        assert went_on.seconds == first_look.seconds


def test_it_shows_the_effect(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 100, 10)
    made = change(engine)
    busy(engine, 103, 20)
    found = seen(engine, made)
    assert found.comparison is not None
    assert found.comparison.verdict == "better"
    assert found.seconds == (100, 100)
    assert (found.before.to_ms, found.after.from_ms) == (made.ts_ms, made.ts_ms + WASHOUT_MS)
    assert found.comparison.windows[0].span.label == "before"


def test_a_threefold_effect_is_shown_within_seconds(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 20, 5)
    made = change(engine)
    watch = ImpactWatch(engine.ledger, engine.engine_id, PRICES)
    verdicts = []
    for _ in range(15):
        busy(engine, 1, 15)
        comparison = watch.look(made, engine.ms + LAG_MS).comparison
        verdicts.append(None if comparison is None else comparison.verdict)
    assert verdicts[-1] == "better"
    assert set(verdicts) <= {None, "too few blocks", "no difference shown", "better"}


def test_requests_in_flight_at_the_change_are_waited_for(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    engine.run(60, Second(ttft=(0, 0, 0, 10, 0)))
    made = change(engine)
    busy(engine, 20, 20)
    assert seen(engine, made).after.from_ms == made.ts_ms + 2_800


def test_nothing_is_compared_before_there_is_anything(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    made = change(engine)
    busy(engine, 1, 20)
    assert seen(engine, made).comparison is None


def test_a_refused_change_has_no_effect_to_show(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    made = change(engine, outcome="refused")
    busy(engine, 60, 10)
    assert seen(engine, made).comparison is None


def test_the_neighbouring_changes_bound_it(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    first = change(engine, "first")
    busy(engine, 63, 20)
    made = change(engine, "made")
    busy(engine, 43, 30)
    last = change(engine, "last")
    busy(engine, 60, 10)
    found = seen(engine, made)
    assert found.before.from_ms == first.ts_ms + SETTLE_MS
    assert found.after.to_ms == last.ts_ms
    assert found.seconds == (60, 42)


def test_a_refused_neighbour_bounds_nothing(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    made = change(engine)
    busy(engine, 30, 20)
    change(engine, "no", outcome="refused")
    busy(engine, 33, 20)
    assert seen(engine, made).seconds == (60, 62)


def test_knobs_set_at_once_are_one_act(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    one = change(engine, "one", knob="max_num_seqs")
    two = change(engine, "two", at_ms=engine.ms + 20)
    busy(engine, 64, 20)
    found = seen(engine, one), seen(engine, two)
    assert [each.seconds for each in found] == [(60, 62), (60, 62)]
    assert found[0].together == ("enable_prefix_caching",)
    assert found[1].together == ("max_num_seqs",)
    assert found[0].before == found[1].before
    assert found[0].after == found[1].after


def test_what_its_own_act_takes_back_has_no_effect_to_show(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    off = change(engine, "off")
    back = replace(off, id="back", ts_ms=engine.ms + 1_000, from_value=True, to_value=False)
    record(engine.ledger, engine.run_id, back)
    busy(engine, 60, 10)
    for made in (off, back):
        found = seen(engine, made)
        assert found.was_put_back
        assert found.comparison is None


def test_the_longer_it_is_watched_the_less_often_it_is_measured(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    made = change(engine)
    busy(engine, 300, 20)
    watch = ImpactWatch(engine.ledger, engine.engine_id, PRICES)
    looks = [watch.look(made, made.ts_ms + LAG_MS + 1000 * second) for second in range(300)]
    measured = [index for index in range(1, 300) if looks[index] is not looks[index - 1]]
    assert measured[:20] == list(range(2, 22))
    assert 90 < len(measured) < 100


def test_watching_for_a_change_needs_no_numpy() -> None:
    """It takes 16 MiB and 0.1 s: only a comparison is worth that."""
    code = (
        "import sys, store.compare.impact, store.metrics.measure, store.metrics.cost;"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_engine_just_found_has_a_short_before(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 5, 10)
    made = change(engine)
    busy(engine, 23, 20)
    found = seen(engine, made)
    assert found.comparison is not None
    assert found.comparison.windows[0].from_ms == START_MS
    assert found.comparison.verdict == "too few blocks"


def test_what_comes_before_a_swap_ends_where_it_began(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 100, 10)
    began = engine.ms
    busy(engine, 40, 3)
    made = Change(
        "s", engine.ms, VARIANT, "start", "int4", "applied", "set", "me", took_ms=40_000.0
    )
    record(engine.ledger, engine.run_id, made)
    busy(engine, 103, 20)
    found = seen(engine, made)
    assert found.before.to_ms == began
    assert found.after.from_ms > made.ts_ms
    assert found.seconds[0] == 100


def test_what_comes_after_a_change_ends_where_a_swap_begins(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    made = change(engine)
    busy(engine, 35, 20)
    began = engine.ms
    busy(engine, 30, 3)
    swap = Change("s", engine.ms, VARIANT, None, "int4", "applied", "set", "me", took_ms=30_000.0)
    record(engine.ledger, engine.run_id, swap)
    found = seen(engine, made)
    assert found.after.to_ms <= began
    assert found.seconds == (60, 34)


def test_a_lease_that_is_renewed_begins_nothing_anew(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 100, 10)
    made = change(engine)
    busy(engine, 33, 20)
    renewed = replace(made, id="renewed", ts_ms=engine.ms, from_value=True, lease_s=300.0)
    record(engine.ledger, engine.run_id, renewed)
    assert made.took_effect
    assert not renewed.took_effect
    busy(engine, 40, 20)
    assert seen(engine, made).seconds == (100, 72)  # its time after goes on past the renewal


def test_values_that_a_swap_carries_over_are_no_change_made_with_it(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    busy(engine, 60, 10)
    by_hand = change(engine, "by hand", knob="max_num_seqs", at_ms=engine.ms - 20_000)
    engine.ms += 1000
    engine.start()
    change(engine, "carried", at_ms=engine.ms - 500)
    swap = Change("swap", engine.ms, VARIANT, "a", "b", "applied", "set", "me", took_ms=30_000)
    record(engine.ledger, engine.run_id, swap)
    busy(engine, 60, 20)
    assert carried_over(engine.ledger, swap) >= {"carried"}
    assert by_hand.id not in carried_over(engine.ledger, swap)
    assert seen(engine, swap).together == ("max_num_seqs",)
