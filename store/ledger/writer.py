"""The one thread of a process that writes to the ledger."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.ledger.troubles import LedgerBusy, LedgerMoved

T = TypeVar("T")

CAPACITY = 1_024
"""Writes that may wait. At one a second an engine, many minutes of a disk that does not answer."""

BUSY_RETRY_S = 15.0
"""How long a write is tried again while another program keeps the ledger locked."""

CLOSE_S = 5.0
"""How long closing waits for the writes that were submitted before."""

_MOST_NOTICES = 100

_Task = tuple[Callable[[Ledger], Any], "Future[Any]"]


class LedgerWriter:
    """Runs each submitted function in a transaction of its own, in order, in its own thread.

    A function must not keep the `Ledger` it is given. What fails does so in its future alone: after
    a full disk the next write is tried like any other, so recording goes on once there is room.
    """

    def __init__(self, path: Path, *, capacity: int = CAPACITY) -> None:
        self.path = path
        self._capacity = capacity
        self._tasks: deque[_Task] = deque()
        self._wake = threading.Condition()
        self._notices: deque[str] = deque(maxlen=_MOST_NOTICES)
        self._open: Future[None] = Future()
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)

    def start(self) -> None:
        """Open the ledger (made if new) and begin to write; raises `LedgerUnusable`."""
        self._thread.start()
        self._open.result()

    def submit(self, write: Callable[[Ledger], T]) -> Future[T]:
        """Queue a write; the future has its result, or what went wrong.

        It fails with `LedgerUnusable` where the ledger could not be written, the queue is full or
        the writer is closed; nothing is dropped without its future saying so.
        """
        future: Future[T] = Future()
        with self._wake:
            if self._closing:
                future.set_exception(
                    LedgerUnusable("The ledger is closed", "This was not recorded")
                )
            elif len(self._tasks) >= self._capacity:
                future.set_exception(
                    LedgerUnusable(
                        f"The ledger {self.path} is written too slowly",
                        f"{self._capacity} writes wait already, so this one was not recorded",
                        "Look for a slow or stuck disk (iostat, dmesg)",
                    )
                )
            else:
                self._tasks.append((write, future))
                self._wake.notify()
        return future

    def take_notices(self) -> list[str]:
        """What came over the ledger and was mended since this was last asked."""
        return [self._notices.popleft() for _ in range(len(self._notices))]

    def close(self, deadline_s: float = CLOSE_S) -> bool:
        """Write what was submitted, then stop; True if all of it was done within the deadline.

        What is then still waiting fails in its future.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is None:
            return True
        self._thread.join(deadline_s)
        if not self._thread.is_alive():
            return True
        with self._wake:
            self._abandoned = True
            waiting, self._tasks = self._tasks, deque()
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(
                    LedgerUnusable("The ledger was closed", "This write was still waiting")
                )
        return False

    def _run(self) -> None:
        try:
            ledger = Ledger.open(self.path)
        except BaseException as error:
            self._open.set_exception(error)
            return
        self._open.set_result(None)
        while (task := self._next()) is not None:
            ledger = self._write(ledger, *task)
        ledger.close()

    def _next(self) -> _Task | None:
        """The next write, waited for; None when closing and all is written."""
        with self._wake:
            while not self._tasks and not self._closing:
                self._wake.wait()
            return self._tasks.popleft() if self._tasks else None

    def _write(self, ledger: Ledger, write: Callable[[Ledger], Any], future: Future[Any]) -> Ledger:
        """Do one write and settle its future; returns the ledger for the next one."""
        if not future.set_running_or_notify_cancel():
            return ledger
        if ledger.is_closed:
            ledger, reason = self._reopened(ledger)
            if reason is not None:
                future.set_exception(reason)
                return ledger
        try:
            future.set_result(self._attempt(ledger, write))
        except StopIteration as error:  # an event loop cannot hand it on to who waits
            future.set_exception(RuntimeError(f"A write ended early: {error!r}"))
        except LedgerBusy as error:
            future.set_exception(error)
        except LedgerUnusable as error:
            was_moved = isinstance(error, LedgerMoved)
            if was_moved:
                if not ledger.settle():
                    future.set_exception(error)
                    return ledger
                # First: what this process closes takes its locks on the log away from both.
                ledger.close()
            reopened, reason = self._reopened(ledger)
            # Who took the file away may have put something else there.
            future.set_exception(reason if reason and was_moved else error)
            return reopened
        except BaseException as error:
            future.set_exception(error)
        return ledger

    def _attempt(self, ledger: Ledger, write: Callable[[Ledger], T]) -> T:
        give_up = time.monotonic() + BUSY_RETRY_S
        ledger.check_in_place()
        while True:
            try:
                with ledger.transaction():
                    if ledger.was_cut():
                        cut = f"{self.path}-shm was cut off by somebody, and is whole again"
                        self._notices.append(cut)
                    return write(ledger)
            except LedgerBusy:
                if self._abandoned or time.monotonic() >= give_up:
                    raise

    def _reopened(self, ledger: Ledger) -> tuple[Ledger, LedgerUnusable | None]:
        """A fresh connection: the file may have been moved or its directory mounted anew.

        Where that is not possible either, the old one is kept, and why.
        """
        was_there = self.path.exists()
        try:
            reopened = Ledger.open(self.path)
        except LedgerUnusable as reason:
            return ledger, reason
        reopened.follow(ledger)
        if reopened.number != ledger.number:
            now_there = "a new one is begun there"
            if was_there:
                is_back = reopened.is_file_of(ledger)
                now_there = "it is there again" if is_back else "another one there is gone on with"
            self._notices.append(f"The ledger {self.path} was moved or deleted: {now_there}")
        ledger.close()
        return reopened, None
