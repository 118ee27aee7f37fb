"""The feed: a thread that reads the ledger each second and hands the screen a frame.

It opens its own read-only ledger. A read that takes longer than a second skips ticks rather than
queueing them. Whatever goes wrong is a frame that says so, and the ledger is opened anew.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.tui.feed.frame import Frame, Query
from store.clock import now_ms
from store.errors import LedgerUnusable, TrimtabError

if TYPE_CHECKING:
    from app.tui.feed.frame_reader import FrameReader
    from store.metrics.prices import PriceBook

TICK_S = 1.0
PAINT_S = 0.08
"""Left to the screen to paint its first figures before the charts' longer read begins."""
Clock = Callable[[], int]


class Feed:
    """Reads frames and posts them, until stopped. `ask` is safe from any thread.

    `recording()` is what keeps the recorder behind this screen from writing, or None.
    """

    def __init__(
        self,
        db_path: Path,
        prices: PriceBook,
        post: Callable[[Frame], object],
        *,
        clock: Clock = now_ms,
        engine: str | None = None,
        recording: Callable[[], TrimtabError | None] = lambda: None,
    ) -> None:
        self._db_path = db_path
        self._prices = prices
        self._post = post
        self._clock = clock
        self._recording = recording
        self._query = Query(engine)
        self._wake = threading.Event()
        self._stopped = False
        self._reader: FrameReader | None = None
        self._last: Frame | None = None

    def ask(self, query: Query) -> None:
        """Show something else, at once."""
        self._query = query
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the read it is in."""
        self._stopped = True
        self._wake.set()

    def run(self) -> None:
        """The thread's body."""
        due = time.monotonic()
        try:
            while not self._stopped:
                self._tick()
                due = max(due + TICK_S, time.monotonic())
                if self._wake.wait(max(0.0, due - time.monotonic())):
                    self._wake.clear()
                    due = time.monotonic()
        finally:
            self._close()

    def _tick(self) -> None:
        now_ms = self._clock()
        query = self._query
        try:
            first = self._reader is None
            if not first:
                self._ledger.check_in_place()
            reader = self._reader or self._open()
            if first:
                self._post(reader.read(query, now_ms, charts=False))
                self._wake.wait(PAINT_S)
            self._last = replace(reader.read(query, now_ms), problem=self._recording())
            self._post(self._last)
        except TrimtabError as error:
            self._fail(now_ms, query, error)
        except (sqlite3.Error, OSError) as error:
            self._fail(now_ms, query, LedgerUnusable(f"The ledger cannot be read: {error}"))
        except Exception as error:  # nothing that reads may end the screen
            what = f"Reading the ledger broke: {type(error).__name__}"
            self._fail(now_ms, query, LedgerUnusable(what, "This is a fault in trimtab"))

    def _open(self) -> FrameReader:
        from app.tui.feed.frame_reader import FrameReader
        from app.tui.feed.impacts import ImpactCache
        from store.ledger.connection import Ledger

        ledger = Ledger.open(self._db_path, readonly=True)
        self._ledger = ledger
        self._reader = FrameReader(ledger, self._prices, ImpactCache(self._prices))
        return self._reader

    def _fail(self, now_ms: int, query: Query, problem: TrimtabError) -> None:
        self._close()
        last = self._last or Frame(now_ms, query.range)
        self._post(replace(last, now_ms=now_ms, problem=problem))

    def _close(self) -> None:
        if self._reader is not None:
            self._reader = None
            self._ledger.close()
