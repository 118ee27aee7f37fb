"""A command that sets several knobs and fails in the midst says what became of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.acts.knobs import set_knobs
from engines.control import knobs as control
from engines.control.wire import ControlLost
from engines.knob_handle import KnobHandle
from store.errors import NotAchieved, TrimtabError
from store.ledger.connection import Ledger
from store.ledger.troubles import LedgerFull
from store.records import Change, KnobState, KnobValue, RunInfo

WANTED: list[tuple[str, KnobValue]] = [("max_num_seqs", 16), ("max_num_batched_tokens", 1024)]
LIFE = RunInfo("http://127.0.0.1:1", "e", pid=7, started_ms=1, control="live")
HANDLE = KnobHandle(LIFE, (Path("/x"),))
LOST = ControlLost("engine process 7 cannot be controlled", "no answer within 2 s")


class Engine:
    """Two knobs; `sets` says of each call whether it works, `reads` of each reading."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {"max_num_seqs": 32, "max_num_batched_tokens": 2048}
        self.sets: list[str | TrimtabError] = []
        self.reads: list[TrimtabError | None] = []
        self._count = 0

    def read(self, _: object) -> list[KnobState]:
        error = self.reads.pop(0) if self.reads else None
        if error is not None:
            raise error
        return [KnobState(name, "live", v, v, 1, 4096) for name, v in self.values.items()]

    def set(self, _: object, name: str, value: int, **told: Any) -> Change:
        answer = self.sets.pop(0) if self.sets else "applied"
        if isinstance(answer, TrimtabError):
            raise answer
        self._count += 1
        change = Change(
            str(self._count),
            1_760_000_000_000 + self._count,
            name,
            self.values[name],
            value,
            answer,
            told.get("cause", "set"),
            "me",
            undoes=told.get("undoes"),
        )
        if answer != "applied":
            return replace(change, reason="its step did not end within 0.5 s")
        self.values[name] = value
        return change


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(control, "read_knobs", made.read)
    monkeypatch.setattr(control, "set_knob", made.set)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Callable[[], list[Change]]:
    def set_both() -> list[Change]:
        with Ledger.open(tmp_path / "l.db") as ledger:
            return set_knobs(ledger, HANDLE, WANTED)

    return set_both


@pytest.mark.parametrize("second", ["failed", LOST])
def test_what_was_set_before_is_put_back(
    engine: Engine, run: Callable[[], list[Change]], second: str | TrimtabError
) -> None:
    engine.sets = ["applied", second]
    with pytest.raises(TrimtabError, match="back where they were") as raised:
        run()
    assert engine.values["max_num_seqs"] == 32
    assert raised.type is (NotAchieved if second == "failed" else ControlLost)


@pytest.mark.parametrize("third", ["failed", LOST])
def test_what_could_not_be_put_back_is_told(
    engine: Engine, run: Callable[[], list[Change]], third: str | TrimtabError
) -> None:
    engine.sets = ["applied", "failed", third]
    with pytest.raises(NotAchieved, match="could not all be taken back") as raised:
        run()
    assert "max_num_seqs stays 16 (" in raised.value.remedy


def test_a_reading_that_is_lost_after_a_change_undoes_nothing(
    engine: Engine, run: Callable[[], list[Change]]
) -> None:
    engine.reads = [None, LOST, LOST]
    assert [change.outcome for change in run()] == ["applied", "applied"]
    assert engine.values == dict(WANTED)


def test_what_the_engine_has_taken_is_no_error_where_it_cannot_be_written(
    engine: Engine, run: Callable[[], list[Change]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LedgerFull("no room is left on the disk")

    monkeypatch.setattr("app.acts.audit._write", full)
    changes = run()
    assert [change.outcome for change in changes] == ["applied", "applied"]
    assert all("not written down" in change.reason for change in changes)
    assert engine.values == dict(WANTED)
