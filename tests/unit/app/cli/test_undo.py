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
        back = undo(ledger, engine)
        assert (back.from_value, back.to_value) == (16, 32)
        with pytest.raises(NotAchieved):
            undo(ledger, engine)
