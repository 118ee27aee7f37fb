"""What a plugin tells is copied, and one that tells too much cannot fill the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from engines.inside.trimtab_inside.live_knobs.journal import KEPT
from engines.recording import knob_watch
from engines.recording.knob_watch import FLOOD, KnobWatch
from store.ledger.connection import Ledger
from store.records import Change, KnobState, RunInfo
from store.tables import changes, engines, runs


def change(number: int) -> Change:
    return Change(f"id-{number}", number, "max_num_seqs", 1, 2, "applied", "set", "who" * 20)


@pytest.mark.parametrize(("at_once", "problem"), [(4_000, FLOOD), (KEPT // 10, "")])
def test_a_plugin_that_tells_of_changes_without_end_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, problem: str
) -> None:
    clock = [0.0]
    told = [0]

    def read_journal(*_: object) -> list[Change]:
        told[0] += at_once
        return [change(number) for number in range(told[0] - at_once, told[0])]

    monkeypatch.setattr(knob_watch.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(knob_watch, "read_journal", read_journal)
    monkeypatch.setattr(knob_watch, "read_knobs", lambda *_: [KnobState("k", "live", 1, 1, 0, 9)])
    with Ledger.open(tmp_path / "l.db") as ledger:
        engine_id = engines.upsert_engine(ledger, "http://a", "a")
        run_id = runs.open_run(ledger, engine_id, RunInfo("http://a", "a"), 1)

        def submit(write: Callable[[Ledger], None]) -> Future[None]:
            done: Future[None] = Future()
            with ledger.transaction():
                done.set_result(write(ledger))
            return done

        watch = KnobWatch(submit)
        for _ in range(10):  # every two seconds
            watch.copy([tmp_path], engine_id, run_id)
            clock[0] += 2.0
        assert watch.problem == problem
        (kept,) = ledger.conn.execute("SELECT count(*) FROM changes").fetchone()
        assert kept == (KEPT + 9 * 4 if problem else 10 * at_once)
        newest = changes.get_change(ledger, f"id-{told[0] - 1}")
        assert newest is not None
