from __future__ import annotations

from pathlib import Path

import pytest

from store.records import DeviceNote
from store.tables.device_notes import between, keep
from tests.store.synthetic import GPU, START_MS, Engine, make_engine

ALONE = DeviceNote("GPU-1", "certain: the driver names its process", "")
SHARED = DeviceNote("GPU-1", ALONE.joined, "shared with 1 other engine, by memory")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db")


def told(engine: Engine, from_s: int, to_s: int) -> list[str]:
    spans = between(
        engine.ledger, [engine.run_id], START_MS + from_s * 1000, START_MS + to_s * 1000
    )
    return [span.note.shared for span in spans.get(GPU.uuid, ())]


def test_a_note_holds_until_another_is_kept(engine: Engine) -> None:
    for second, note in ((0, ALONE), (5, ALONE), (10, SHARED), (20, ALONE)):
        keep(engine.ledger, engine.run_id, [note], START_MS + second * 1000)
    assert told(engine, 0, 10) == [""]
    assert told(engine, 0, 11) == ["", SHARED.shared]
    assert told(engine, 10, 20) == [SHARED.shared]
    assert told(engine, 20, 99) == [""]
    assert told(engine, 0, 99) == ["", SHARED.shared, ""]
    rows = engine.ledger.conn.execute("SELECT count(*) FROM device_notes").fetchone()
    assert rows == (3,)


def test_a_device_that_is_no_longer_held_has_no_note(engine: Engine) -> None:
    assert keep(engine.ledger, engine.run_id, [SHARED], START_MS) == {}
    assert keep(engine.ledger, engine.run_id, [], START_MS + 5000) == {"GPU-1": SHARED}
    assert told(engine, 5, 99) == []
    assert keep(engine.ledger, engine.run_id, [SHARED], START_MS + 9000) == {}
    assert told(engine, 8, 99) == [SHARED.shared]


def test_runs_keep_their_own(engine: Engine) -> None:
    keep(engine.ledger, engine.run_id, [SHARED], START_MS)
    first = engine.run_id
    engine.start()
    assert told(engine, 0, 9) == []
    spans = between(engine.ledger, [first, engine.run_id], START_MS, START_MS + 9000)
    assert [span.note for span in spans["GPU-1"]] == [SHARED]
