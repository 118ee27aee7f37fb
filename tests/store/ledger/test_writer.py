"""The writer thread: order, failures that stay in their future, closing."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.errors import LedgerUnusable
from store.ledger import writer as writer_module
from store.ledger.connection import Ledger
from store.ledger.identity import NotALedger
from store.ledger.writer import LedgerWriter
from store.tables.engines import list_engines, upsert_engine
from tests.waiting import PATIENCE_S


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LedgerWriter]:
    one = LedgerWriter(tmp_path / "l.db", capacity=8)
    one.start()
    yield one
    one.close()


def _names(path: Path) -> list[str]:
    with Ledger.open(path, readonly=True) as ledger:
        return [row.name for row in list_engines(ledger)]


def _add(name: str) -> object:
    return lambda ledger: upsert_engine(ledger, f"http://{name}", name)


def test_writes_are_done_in_order_and_answer(writer: LedgerWriter) -> None:
    futures = [writer.submit(_add(name)) for name in "abc"]
    assert [future.result(PATIENCE_S) for future in futures] == [1, 2, 3]
    assert _names(writer.path) == ["a", "b", "c"]


def test_a_write_that_fails_is_undone_and_the_next_goes_on(writer: LedgerWriter) -> None:
    def half(ledger: Ledger) -> None:
        upsert_engine(ledger, "http://a", "a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writer.submit(half).result(PATIENCE_S)
    writer.submit(_add("b")).result(PATIENCE_S)
    assert _names(writer.path) == ["b"]


async def test_a_write_that_ends_an_iteration_early_is_answered(writer: LedgerWriter) -> None:
    """An event loop cannot hand on a StopIteration: who waits would never hear."""
    future = writer.submit(lambda ledger: next(iter(list_engines(ledger))))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(asyncio.wrap_future(future), 5)


def test_a_file_that_is_no_ledger_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("not a ledger")
    with pytest.raises(NotALedger):
        LedgerWriter(tmp_path / "f").start()


def test_closing_writes_what_was_submitted(writer: LedgerWriter) -> None:
    futures = [writer.submit(_add(name)) for name in "abcdef"]
    assert writer.close()
    assert all(future.done() for future in futures)
    assert _names(writer.path) == list("abcdef")
    with pytest.raises(LedgerUnusable, match="closed"):
        writer.submit(_add("late")).result(0)
    assert writer.close()


def test_what_does_not_fit_says_so_and_nothing_else_is_lost(writer: LedgerWriter) -> None:
    gate = threading.Event()
    started = threading.Event()
    slow = writer.submit(lambda ledger: (started.set(), gate.wait(PATIENCE_S)))
    assert started.wait(PATIENCE_S)
    futures = [writer.submit(_add(str(number))) for number in range(10)]
    for future in futures[8:]:
        with pytest.raises(LedgerUnusable, match="slowly"):
            future.result(0)
    gate.set()
    slow.result(PATIENCE_S)
    for future in futures[:8]:
        future.result(PATIENCE_S)
    assert _names(writer.path) == [str(number) for number in range(8)]


def test_closing_has_a_deadline(writer: LedgerWriter) -> None:
    gate = threading.Event()
    stuck = writer.submit(lambda ledger: gate.wait(PATIENCE_S))
    waiting = writer.submit(_add("a"))
    assert not writer.close(0.05)
    with pytest.raises(LedgerUnusable, match="closed"):
        waiting.result(0)
    gate.set()
    stuck.result(PATIENCE_S)


def test_a_lock_held_by_another_is_waited_for(
    writer: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.submit(lambda ledger: ledger.conn.execute("PRAGMA busy_timeout = 0").fetchall())
    with Ledger.open(writer.path) as other:
        other.conn.execute("BEGIN IMMEDIATE")
        future = writer.submit(_add("a"))
        with pytest.raises(TimeoutError):
            future.result(0.2)
        other.conn.execute("ROLLBACK")
        assert future.result(PATIENCE_S) == 1
        monkeypatch.setattr(writer_module, "BUSY_RETRY_S", 0.1)
        other.conn.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnusable, match="locked"):
            writer.submit(_add("b")).result(PATIENCE_S)
        other.conn.execute("ROLLBACK")
    assert writer.submit(_add("c")).result(PATIENCE_S) == 2


def test_a_ledger_that_is_deleted_is_begun_anew(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.submit(_add("a")).result(PATIENCE_S)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(LedgerUnusable, match="moved or deleted"):
        writer.submit(_add("b")).result(PATIENCE_S)
    writer.submit(_add("c")).result(PATIENCE_S)
    assert _names(writer.path) == ["c"]


def test_a_ledger_deleted_without_its_log_is_begun_anew(
    writer: LedgerWriter, tmp_path: Path
) -> None:
    """What the log of the old one holds does not go into the new one."""
    for number in range(100):
        writer.submit(_add(f"{number}-{'x' * 300}")).result(PATIENCE_S)
    (tmp_path / "l.db").unlink()
    with pytest.raises(LedgerUnusable, match="moved or deleted"):
        writer.submit(_add("b")).result(PATIENCE_S)
    for number in range(300):
        writer.submit(_add(f"{number}-new")).result(PATIENCE_S)
    assert _names(writer.path) == [f"{number}-new" for number in range(300)]


def test_a_ledger_moved_without_its_log_is_whole(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.submit(_add("a")).result(PATIENCE_S)
    writer.path.rename(tmp_path / "moved.db")
    with pytest.raises(LedgerUnusable, match="moved or deleted"):
        writer.submit(_add("b")).result(PATIENCE_S)
    writer.submit(_add("c")).result(PATIENCE_S)
    assert (_names(tmp_path / "moved.db"), _names(writer.path)) == (["a"], ["c"])


def test_another_ledger_in_its_place_is_told_whole_and_written(
    writer: LedgerWriter, tmp_path: Path
) -> None:
    """The log of the one before does not go into it."""
    with Ledger.open(tmp_path / "other.db") as other, other.transaction():
        for number in range(300):
            _add(f"{number}-other")(other)
    for number in range(100):
        writer.submit(_add(f"{number}-{'x' * 300}")).result(PATIENCE_S)
    (tmp_path / "other.db").replace(writer.path)
    with pytest.raises(LedgerUnusable, match="moved or deleted"):
        writer.submit(_add("b")).result(PATIENCE_S)
    writer.submit(_add("c")).result(PATIENCE_S)
    assert _names(writer.path) == [*(f"{number}-other" for number in range(300)), "c"]
    with Ledger.open(writer.path) as ledger:
        assert ledger.conn.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    (notice,) = writer.take_notices()
    assert notice.endswith("was moved or deleted: another one there is gone on with")
    assert writer.take_notices() == []


def test_while_somebody_reads_in_the_log_of_the_one_before_nothing_else_is_written(
    writer: LedgerWriter, tmp_path: Path
) -> None:
    writer.submit(lambda ledger: ledger.conn.execute("PRAGMA busy_timeout = 0").fetchall())
    writer.submit(_add("a")).result(PATIENCE_S)
    with Ledger.open(writer.path, readonly=True) as reader, reader.consistent():
        assert reader.conn.execute("SELECT count(*) FROM engines").fetchone() == (1,)
        with Ledger.open(tmp_path / "other.db"):
            pass
        (tmp_path / "other.db").replace(writer.path)
        for _ in range(2):
            with pytest.raises(LedgerUnusable, match="moved or deleted"):
                writer.submit(_add("b")).result(PATIENCE_S)
    with pytest.raises(LedgerUnusable, match="moved or deleted"):
        writer.submit(_add("b")).result(PATIENCE_S)
    writer.submit(_add("c")).result(PATIENCE_S)
    assert _names(writer.path) == ["c"]


def test_what_was_put_in_its_place_is_told(writer: LedgerWriter, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("no ledger")
    other.replace(writer.path)
    for _ in range(2):
        with pytest.raises(NotALedger):
            writer.submit(_add("a")).result(PATIENCE_S)
    assert writer.path.read_text() == "no ledger"


def test_a_directory_that_goes_and_comes_back(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.submit(_add("a")).result(PATIENCE_S)
    away = tmp_path.with_name(f"{tmp_path.name}-away")
    tmp_path.rename(away)
    tmp_path.write_text("a file in the way")
    for _ in range(2):
        with pytest.raises(LedgerUnusable):
            writer.submit(_add("b")).result(PATIENCE_S)
    tmp_path.unlink()
    shutil.move(away, tmp_path)
    writer.submit(_add("c")).result(PATIENCE_S)
    assert _names(writer.path) == ["a", "c"]
