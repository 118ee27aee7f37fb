"""Taking back a change where nobody records: the ledger asks the engine what became of it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.acts import set_knobs, undo
from engines.handle import Handle
from store.errors import NotAchieved
from store.ledger.connection import Ledger
from store.records import RunInfo
from tests.unit.inside_standins import Scheduler32, start_server


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Handle]:
    server = start_server(tmp_path / "0.sock", Scheduler32(seqs=32), "EngineCore")
    yield Handle(RunInfo("http://127.0.0.1:9", "engine", control="live"), (server.path,))
    server.stop()


def test_a_lease_that_ran_out_unseen_is_not_taken_back(tmp_path: Path, engine: Handle) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        set_knobs(ledger, engine, [("max_num_seqs", 16)])
        set_knobs(ledger, engine, [("max_num_seqs", 8)], lease_s=0.2)
        time.sleep(0.6)
        back = undo(ledger, engine)
        assert (back.from_value, back.to_value) == (16, 32)
        with pytest.raises(NotAchieved):
            undo(ledger, engine)
