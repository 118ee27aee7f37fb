"""The thread of a supervisor that writes to ledgers: a stuck disk may hold it, and nobody else."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable

PATIENCE_S = 1.0
"""So long a line is waited for, that whoever follows finds it in the ledger."""
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

    def _run(self) -> None:
        while True:
            work, done = self._works.get()
            try:
                work()
            except Exception as error:  # nothing that a ledger does may end what is supervised
                _log(f"{type(error).__name__}: {error}")
            done.set()
            if self._works.empty():
                self._behind.clear()


def _log(text: str) -> None:
    sys.stderr.write(f"the ledger was not told: {text[:500]!r}\n")
    sys.stderr.flush()
