"""Taking back a change where nobody records: the ledger asks the engine what became of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.acts import set_knobs, undo
from engines.control.knobs import read_knobs
from engines.knob_handle import KnobHandle
from store.errors import NotAchieved
from store.ledger.connection import Ledger
from store.records import KnobValue, RunInfo
from store.tables.changes import list_changes
from store.tables.engines import list_engines
from tests.unit.inside.inside_standins import Scheduler32, start_server
from tests.waiting import wait_until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[KnobHandle]:
    server = start_server(tmp_path / "0.sock", Scheduler32(seqs=32), "EngineCore")
    yield KnobHandle(RunInfo("http://127.0.0.1:9", "engine", control="live"), (server.path,))
    server.stop()


def value_of(engine: KnobHandle, knob: str) -> KnobValue:
    return next(state.value for state in read_knobs(engine.sockets) if state.name == knob)


def test_a_lease_that_ran_out_unseen_is_not_taken_back(tmp_path: Path, engine: KnobHandle) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        set_knobs(ledger, engine, [("max_num_seqs", 16)])
        set_knobs(ledger, engine, [("max_num_seqs", 8)], lease_s=0.2)
        wait_until(lambda: value_of(engine, "max_num_seqs") == 16)
        (back,) = undo(ledger, engine)
        assert (back.from_value, back.to_value) == (16, 32)
        with pytest.raises(NotAchieved):
            undo(ledger, engine)


def test_what_one_command_set_is_taken_back_as_one(tmp_path: Path, engine: KnobHandle) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        set_knobs(ledger, engine, [("max_num_seqs", 20)])
        set_knobs(ledger, engine, [("max_num_seqs", 16), ("enable_prefix_caching", False)])
        engine_id = engine_id_of(ledger)
        made = [change for change in list_changes(ledger, engine_id) if change.act]
        assert len({change.act for change in made}) == 1
        back = undo(ledger, engine)
        assert {(change.knob, change.to_value) for change in back} == {
            ("max_num_seqs", 20),
            ("enable_prefix_caching", True),
        }
        assert value_of(engine, "max_num_seqs") == 20
        assert value_of(engine, "enable_prefix_caching") is True
        (before,) = undo(ledger, engine)
        assert (before.knob, before.to_value) == ("max_num_seqs", 32)


def test_a_change_after_it_is_an_act_of_its_own(tmp_path: Path, engine: KnobHandle) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        set_knobs(ledger, engine, [("max_num_seqs", 16), ("enable_prefix_caching", False)])
        set_knobs(ledger, engine, [("max_num_seqs", 8)])
        (last,) = undo(ledger, engine)
        assert (last.knob, last.to_value) == ("max_num_seqs", 16)
        assert len(undo(ledger, engine)) == 2
        with pytest.raises(NotAchieved):
            undo(ledger, engine)


def test_another_s_change_is_told_by_their_name(
    tmp_path: Path, engine: KnobHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        monkeypatch.setattr("app.acts.knobs.who", lambda: "ada from 192.0.2.1")
        set_knobs(ledger, engine, [("max_num_seqs", 16)])
        undo(ledger, engine, on_step=lambda _, text: told.append(text))
    assert told == ["this takes back what ada from 192.0.2.1 did"]


def engine_id_of(ledger: Ledger) -> int:
    """The one engine of the ledger."""
    (engine,) = list_engines(ledger)
    return engine.id
