"""The event log."""

from __future__ import annotations

from pathlib import Path

from store.records import Event
from store.tables.events import add, recent
from tests.store.synthetic import make_engine


def test_the_last_lines_newest_first(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    lines = [Event(at_ms, "run", f"line {at_ms}") for at_ms in (1, 2, 2, 5)]
    for line in lines:
        add(engine.ledger, engine.engine_id, line)
    assert recent(engine.ledger, engine.engine_id, 10) == lines[::-1]
    assert recent(engine.ledger, engine.engine_id, 2) == [lines[3], lines[2]]
    assert recent(engine.ledger, engine.engine_id + 1, 2) == []
