"""The feed reads in its own thread, survives what happens to the file, and ends when told."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.tui.feed.feed import Feed
from app.tui.feed.frame import RANGES, Frame, Query
from app.tui.feed.frame_reader import FrameReader
from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.metrics.prices import PriceBook
from store.tables.runs import open_run
from tests.ui.seed import NOW_MS, Scenario, seed
from tests.waiting import PATIENCE_S


class Inbox:
    """Frames as they come."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._changed = threading.Condition()

    def __call__(self, frame: Frame) -> None:
        with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    def wait(self, holds: Callable[[Frame], object]) -> Frame:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(holds, self.frames)), PATIENCE_S)
            return next(frame for frame in self.frames if holds(frame))


@contextmanager
def running(path: Path, **options: object) -> Iterator[tuple[Feed, Inbox]]:
    inbox = Inbox()
    feed = Feed(path, PriceBook(), inbox, clock=lambda: NOW_MS, **options)  # type: ignore[arg-type]
    thread = threading.Thread(target=feed.run)
    thread.start()
    try:
        yield feed, inbox
    finally:
        feed.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_the_first_frame_has_the_figures_before_the_charts(db: Path) -> None:
    with running(db) as (_, inbox):
        inbox.wait(lambda frame: frame.series is not None)
    first = inbox.frames[0]
    assert first.series is None
    assert first.metrics["generation_rate"] is not None


def test_a_ledger_that_appears_later_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with running(path) as (_, inbox):
        problem = inbox.wait(lambda frame: frame.problem).problem
        assert problem is not None and "no ledger" in problem.what
        seed(path, Scenario(seconds=30, change_at=None))
        assert inbox.wait(lambda frame: frame.engine).problem is None


def test_the_last_good_figures_stay_when_the_ledger_breaks(db: Path) -> None:
    with running(db) as (feed, inbox):
        good = inbox.wait(lambda frame: frame.series)
        connection = sqlite3.connect(db)
        connection.executescript("PRAGMA foreign_keys = OFF; DROP TABLE engines;")
        connection.close()
        feed.ask(Query())
        broken = inbox.wait(lambda frame: frame.problem)
    assert broken.problem is not None and "cannot be used" in broken.problem.what
    assert broken.metrics == good.metrics and broken.engine == good.engine


def test_another_range_is_answered(db: Path) -> None:
    with running(db) as (feed, inbox):
        inbox.wait(lambda frame: frame.series)
        feed.ask(Query(None, RANGES[1]))
        wide = inbox.wait(lambda frame: frame.range == RANGES[1])
    assert wide.series is not None and wide.series.slot_ms == RANGES[1].slot_ms


def test_ratios_do_not_reach_back_over_a_change(db: Path) -> None:
    with running(db) as (_, inbox):
        frame = inbox.wait(lambda frame: frame.series)
    assert frame.series is not None
    hits = frame.series.values["cache_hit_rate"]
    changed = frame.marks[-1].ts_ms // frame.series.slot_ms
    assert hits[changed - 2] > 0.8
    assert hits[changed + 2] < 0.01
    assert [mark.letter for mark in frame.marks] == ["A", "B"]


def test_the_screen_loads_nothing_heavy() -> None:
    """Start-up and memory: what the screen does not need is not imported with it."""
    code = (
        "import sys, app.tui.app, app.tui.feed.frame_reader\n"
        "names = {'numpy', 'httpx', 'sqlite_utils', 'pydantic', 'engines.discovery.find'}\n"
        "heavy = names & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)


def test_what_keeps_the_recorder_from_writing_is_told(db: Path) -> None:
    full = LedgerUnusable("The disk is full")
    with running(db, recording=lambda: full) as (_, inbox):
        frame = inbox.wait(lambda frame: frame.problem is full)
    assert frame.metrics["generation_rate"] is not None


def test_the_figures_stay_while_a_new_run_has_no_reading_yet(db: Path) -> None:
    with running(db) as (feed, inbox):
        before = inbox.wait(lambda frame: frame.series)
        with Ledger.open(db) as ledger:
            assert before.run is not None
            open_run(ledger, 1, replace(before.run.info, pid=4343), NOW_MS)
        feed.ask(Query())
        after = inbox.wait(lambda frame: frame.run is not None and frame.run.info.pid == 4343)
    assert after.metrics == before.metrics and after.until_ms == before.until_ms


def test_the_impact_belongs_to_the_process_that_runs(db: Path) -> None:
    """What was set in a process before ended with it."""
    with running(db) as (feed, inbox):
        before = inbox.wait(lambda frame: frame.impact)
        with Ledger.open(db) as ledger:
            assert before.run is not None
            open_run(ledger, 1, replace(before.run.info, pid=4343), NOW_MS)
        feed.ask(Query())
        inbox.wait(lambda frame: frame.run and frame.run.info.pid == 4343 and frame.impact is None)
    assert inbox.frames[-1].changes == before.changes


def test_what_nobody_had_thought_of_does_not_end_the_feed(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FrameReader.read

    def fail(*_: object, **__: object) -> Frame:
        raise ZeroDivisionError

    with running(db) as (feed, inbox):
        inbox.wait(lambda frame: frame.series is not None)
        monkeypatch.setattr(FrameReader, "read", fail)
        feed.ask(Query())
        broken = inbox.wait(lambda frame: frame.problem is not None)
        assert "ZeroDivisionError" in str(broken.problem)
        assert broken.metrics  # the last good figures stay
        monkeypatch.setattr(FrameReader, "read", read)
        inbox.frames.clear()
        feed.ask(Query())
        inbox.wait(lambda frame: frame.problem is None)


def test_another_ledger_in_its_place_is_read(db: Path, tmp_path: Path) -> None:
    """A recorder begins a new one where the old one was taken away; acts go there, too."""
    other = tmp_path / "other.db"
    seed(other, Scenario(seconds=30, change_at=None, name="another"))
    with running(db) as (_, inbox):
        inbox.wait(lambda frame: frame.series)
        for part in db.parent.glob(f"{db.name}*"):
            part.unlink()
        other.rename(db)
        inbox.wait(lambda frame: frame.engine is not None and frame.engine.name == "another")
