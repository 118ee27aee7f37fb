"""The audit of knob changes, and which of them can be taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.records import Change, KnobState
from store.tables.changes import (
    get_change,
    last_undoable,
    list_changes,
    record,
    with_leases,
)
from tests.store.synthetic import Engine, make_engine

BASE = Change("a", 1_000, "max_num_seqs", 8, 16, "applied", "set", "me")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def _record(engine: Engine, change: Change) -> bool:
    return record(engine.ledger, engine.run_id, change)


def _undoable(engine: Engine) -> str | None:
    found = last_undoable(engine.ledger, engine.run_id)
    return found.id if found else None


def _set(engine: Engine, name: str, start: int, end: int, ts_ms: int, **other: object) -> Change:
    change = replace(BASE, id=name, from_value=start, to_value=end, ts_ms=ts_ms, **other)  # type: ignore[arg-type]
    assert _record(engine, change)
    return change


def test_a_change_comes_back_as_it_went(engine: Engine) -> None:
    whole = replace(
        BASE,
        from_value=True,
        to_value=False,
        why="to see",
        reason="ok",
        took_ms=1.25,
        lease_s=60.0,
        undoes="z",
        per_engine={"0": "applied", "1": "applied"},
    )
    assert _record(engine, whole)
    assert not _record(engine, whole)
    assert list_changes(engine.ledger, engine.engine_id) == [whole]
    assert whole.from_value is get_change(engine.ledger, "a").from_value  # type: ignore[union-attr]


def test_two_tellings_are_one_row_that_knows_all(engine: Engine) -> None:
    journal = replace(BASE, who="me", took_ms=0.4, ts_ms=1_002)
    asker = replace(BASE, why="to see", per_engine={"0": "applied"})
    for order in ((journal, asker), (asker, journal)):
        engine.ledger.conn.execute("DELETE FROM changes")
        assert [_record(engine, told) for told in order] == [True, False]
        kept = get_change(engine.ledger, "a")
        assert kept is not None
        assert (kept.took_ms, kept.why, dict(kept.per_engine)) == (0.4, "to see", {"0": "applied"})


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (("applied", "put back"), "put back"),
        (("put back", "applied"), "put back"),
        (("failed", "applied"), "applied"),
        (("applied", "failed"), "applied"),
        (("refused", "failed"), "refused"),
    ],
)
def test_the_more_final_outcome_stays(engine: Engine, told: tuple[str, str], outcome: str) -> None:
    for one in told:
        _record(engine, replace(BASE, outcome=one, reason=one))  # type: ignore[arg-type]
    kept = get_change(engine.ledger, "a")
    assert kept is not None
    assert (kept.outcome, kept.reason) == (outcome, outcome)


def test_who_heard_more_engines_knows_the_outcome(engine: Engine) -> None:
    asker = replace(BASE, outcome="refused", per_engine={"0": "put back", "1": "refused"})
    _record(engine, asker)
    _record(engine, replace(BASE, per_engine={"0": "applied"}))
    assert get_change(engine.ledger, "a") == asker


@settings(max_examples=40)
@given(
    data=st.data(),
    outcomes=st.lists(
        st.sampled_from(("failed", "refused", "applied", "put back")), min_size=1, max_size=4
    ),
)
def test_the_order_of_the_tellings_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, outcomes: list[str]
) -> None:
    told = [replace(BASE, outcome=outcome) for outcome in outcomes]  # type: ignore[arg-type]
    engine = make_engine(tmp_path_factory.mktemp("l") / "l.db")
    other = make_engine(tmp_path_factory.mktemp("l") / "l.db")
    for one in told:
        _record(engine, one)
    for one in data.draw(st.permutations(told)):
        _record(other, one)
    assert get_change(engine.ledger, "a") == get_change(other.ledger, "a")
    engine.ledger.close()
    other.ledger.close()


def test_changes_are_listed_newest_first_within_a_span(engine: Engine) -> None:
    for number in range(5):
        _set(engine, str(number), 8, 16, 1_000 * number)
    engine.start()
    _set(engine, "5", 8, 16, 9_000)
    names = [change.id for change in list_changes(engine.ledger, engine.engine_id)]
    assert names == ["5", "4", "3", "2", "1", "0"]
    within = list_changes(engine.ledger, engine.engine_id, from_ms=1_000, to_ms=3_000)
    assert [change.id for change in within] == ["3", "2", "1"]
    newest = list_changes(engine.ledger, engine.engine_id, limit=2)
    assert [change.id for change in newest] == ["5", "4"]
    assert list_changes(engine.ledger, engine.engine_id + 1) == []


def test_undo_walks_back(engine: Engine) -> None:
    assert _undoable(engine) is None
    _set(engine, "a", 8, 16, 1)
    _set(engine, "b", 16, 32, 2)
    assert _undoable(engine) == "b"
    _set(engine, "c", 32, 16, 3, cause="undo", undoes="b")
    assert _undoable(engine) == "a"
    _set(engine, "d", 16, 8, 4, cause="undo", undoes="a")
    assert _undoable(engine) is None


def test_an_undo_that_failed_leaves_the_change_to_be_undone(engine: Engine) -> None:
    _set(engine, "a", 8, 16, 1)
    _set(engine, "c", 16, 8, 3, cause="undo", undoes="a", outcome="failed")
    assert _undoable(engine) == "a"


def test_what_a_lease_took_back_is_not_undone_again(engine: Engine) -> None:
    _set(engine, "a", 8, 16, 1)
    _set(engine, "b", 16, 32, 2, lease_s=1.0)
    _set(engine, "e", 32, 16, 3, cause="lease", undoes="b")
    assert _undoable(engine) == "a"


def test_a_lease_takes_back_all_that_was_made_under_it(engine: Engine) -> None:
    _set(engine, "a", 8, 16, 1, lease_s=5.0)
    _set(engine, "b", 16, 32, 2, lease_s=5.0)
    _set(engine, "e", 32, 8, 3, cause="lease", undoes="b")
    assert _undoable(engine) is None


def test_only_applied_sets_of_this_run_with_a_known_value_can_be_undone(engine: Engine) -> None:
    _set(engine, "a", 8, 16, 1, outcome="refused")
    _set(engine, "b", 8, 16, 2, cause="found")
    _record(engine, replace(BASE, id="c", from_value=None))
    assert _undoable(engine) is None
    _set(engine, "d", 8, 16, 3)
    engine.start()
    assert _undoable(engine) is None


def test_knobs_are_undone_each_for_itself(engine: Engine) -> None:
    _set(engine, "a", 8, 16, 1)
    _record(engine, replace(BASE, id="p", knob="p", from_value=True, to_value=False, ts_ms=2))
    assert _undoable(engine) == "p"
    undo = replace(
        BASE, id="u", knob="p", from_value=False, to_value=True, ts_ms=3, cause="undo", undoes="p"
    )
    _record(engine, undo)
    assert _undoable(engine) == "a"


def test_what_is_left_of_a_lease_is_the_last_change_s() -> None:
    def state(name: str, value: int) -> KnobState:
        return KnobState(name, "live", value, 32, 1, 64)

    def made(knob: str, value: int, lease_s: float | None, ts_ms: int = 1_000) -> Change:
        return Change("id", ts_ms, knob, 32, value, "applied", "set", "me", lease_s=lease_s)

    states = [state("a", 8), state("b", 8), state("c", 32), state("d", 8), state("e", 8)]
    newest_first = [
        made("a", 8, 60.0, 2_000),
        made("a", 16, None),
        made("b", 8, None),  # renewed without a lease
        made("b", 8, 60.0),
        made("c", 8, 60.0),  # it has fallen back, or was set by somebody else
        made("d", 8, 5.0),  # its time has run out
    ]
    shown = with_leases(states, newest_first, 12_000)
    assert [each.lease_left_s for each in shown] == [50.0, None, None, None, None]
    assert shown == tuple(states)  # time that goes by is no other state
