"""Named windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from store.errors import BadInput
from store.ledger.connection import Ledger
from store.tables.snapshots import Snapshot, get, list_all, save
from tests.store.synthetic import make_engine

ONE = Snapshot("before", 1, 10, 20, 30, {"model": "tiny", "knobs": {"a": True}}, "a note")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return make_engine(tmp_path / "l.db").ledger


def test_a_snapshot_comes_back_as_it_went(ledger: Ledger) -> None:
    save(ledger, ONE)
    assert get(ledger, "before") == ONE
    assert get(ledger, "after") is None


def test_a_name_is_taken_once(ledger: Ledger) -> None:
    save(ledger, ONE)
    with pytest.raises(BadInput, match="already"):
        save(ledger, replace(ONE, to_ms=99))
    assert get(ledger, "before") == ONE
    save(ledger, replace(ONE, to_ms=99), replace=True)
    assert list_all(ledger) == [replace(ONE, to_ms=99)]


def test_snapshots_are_listed_newest_first(ledger: Ledger) -> None:
    for number, name in enumerate(("a", "b", "c")):
        save(ledger, replace(ONE, name=name, made_ms=number))
    assert [one.name for one in list_all(ledger)] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "name", ["", " ", "a" * 65, "a\nb", "\x1b[31mred", "a\u202eb", " a", "a\t"]
)
def test_a_name_that_cannot_be_typed_back_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(BadInput):
        save(ledger, replace(ONE, name=name))
    assert list_all(ledger) == []


@pytest.mark.parametrize("name", ["a", "a" * 64, "with space", "mit Ümlaut", "100%", "[bold]"])
def test_any_printable_name_is_taken(ledger: Ledger, name: str) -> None:
    save(ledger, replace(ONE, name=name))
    assert get(ledger, name) is not None
