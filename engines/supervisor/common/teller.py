"""The thread of a supervisor that writes to ledgers: a stuck disk may hold it, and nobody else.

What a lock of another program or a full disk keeps from being written is tried again: the last word
on a swap is not said twice by anybody.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable

from store.ledger.troubles import LedgerBusy, LedgerFull

PATIENCE_S = 1.0
"""So long a line is waited for, that whoever follows finds it in the ledger."""
REPEAT_S = 600.0
"""For so long a ledger may be locked, or its disk full, until a line is left out."""
_AGAIN_S = 0.5
_MOST = 1000


class Teller:
    """Does one piece of work after another; what one raises is written to the log and no more."""

    def __init__(self) -> None:
        self._works: queue.Queue[tuple[Callable[[], None], threading.Event]] = queue.Queue(_MOST)
        self._behind = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, work: Callable[[], None]) -> None:
        """Have it done, and wait a moment for it; not at all while earlier work still hangs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
            self._thread.start()
        done = threading.Event()
        try:
            self._works.put_nowait((work, done))
        except queue.Full:
            _log("it is written too slowly, so a line was left out")
            return
        if not self._behind.is_set() and not done.wait(PATIENCE_S):
            self._behind.set()

    def finish(self, seconds: float) -> None:
        """Wait until everything is done, at most so long: who ends now says no more."""
        until = time.monotonic() + seconds
        done = threading.Event()
        if self._thread is None:
            return
        try:
            self._works.put((lambda: None, done), timeout=seconds)
        except queue.Full:
            return
        done.wait(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while True:
            work, done = self._works.get()
            _do(work)
            done.set()
            if self._works.empty():
                self._behind.clear()


def _do(work: Callable[[], None]) -> None:
    until = time.monotonic() + REPEAT_S
    while True:
        try:
            work()
        except (LedgerBusy, LedgerFull) as error:
            if time.monotonic() < until:
                time.sleep(_AGAIN_S)
                continue
            _log(str(error))
        except Exception as error:  # nothing that a ledger does may end what is supervised
            _log(f"{type(error).__name__}: {error}")
        return


def _log(text: str) -> None:
    sys.stderr.write(f"the ledger was not told: {text[:500]!r}\n")
    sys.stderr.flush()
