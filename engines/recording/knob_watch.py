"""Copies what an engine's plugin tells into the ledger: knob states and the journal of changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from engines.control.knobs import read_journal, read_knobs
from engines.control.wire import ControlLost, ControlRefused
from engines.inside.trimtab_inside.live_knobs.journal import KEPT
from engines.recording import ledger_writes
from engines.recording.ledger_writes import LeaseLost
from store.clock import now_ms
from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.records import Change, KnobState
from store.tables import knobs

Submit = Callable[[Callable[[Ledger], None]], "Future[None]"]
"""Queues a write into the ledger that the run's id is from."""

_log = logging.getLogger(__name__)

KNOBS_EVERY_S = 10.0
"""How often knobs are read where the journal tells of no change."""
CHANGES_PER_S = 2.0
"""So many changes of an engine are kept for long, after a first `KEPT`, which are all that the
plugin's journal holds."""
FLOOD = "it tells of more changes than an engine makes: some are left out"


class KnobWatch:
    """One engine's knobs. `copy` may take seconds: for a thread without an event loop."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._affords, self._afforded_at = float(KEPT), time.monotonic()
        self._run_id: int | None = None
        self.problem = ""
        self._forget()

    def _forget(self) -> None:
        """Read everything anew: what is known already is not stored twice."""
        self._journal: dict[Path, int] = {}
        self._states: Sequence[KnobState] = ()
        self._read_at = -KNOBS_EVERY_S

    def copy(self, sockets: Sequence[Path], engine_id: int, run_id: int) -> None:
        """Store what is new in this run. What could not be read or written is tried next time, and
        `problem` says why."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._forget()
        try:
            self.problem = self._copy(sockets, engine_id, run_id)
        except (LedgerUnusable, LeaseLost):
            self._forget()
        except (ControlLost, ControlRefused) as error:
            self._forget()
            self.problem = error.meaning or error.what
        except Exception as error:  # its knobs are watched on, whatever an engine says
            self._forget()
            self.problem = f"{type(error).__name__} in what it tells"
            _log.error("copying knobs broke", exc_info=error)

    def _copy(self, sockets: Sequence[Path], engine_id: int, run_id: int) -> str:
        """What is wrong with what it tells, '' for nothing."""
        # The journal goes first, so that a new value never stands there without its cause.
        told = read_journal(sockets, self._journal)
        entries = self._affordable(told)
        states, at_ms = self._states, now_ms()
        if entries or time.monotonic() - self._read_at >= KNOBS_EVERY_S:
            states = read_knobs(sockets)
            self._read_at = time.monotonic()
        flood = FLOOD if len(entries) < len(told) else ""
        if not entries and states == self._states:
            return flood

        def write(ledger: Ledger) -> None:
            ledger_writes.record_changes(ledger, engine_id, run_id, entries)
            knobs.record(ledger, run_id, at_ms, states)

        self._submit(write).result()
        self._states = states
        return flood

    def _affordable(self, entries: Sequence[Change]) -> Sequence[Change]:
        """As many of the newest as any engine makes: one may not be what it says it is, and each
        goes into the ledger for good."""
        now = time.monotonic()
        earned = (now - self._afforded_at) * CHANGES_PER_S
        self._affords, self._afforded_at = min(KEPT, self._affords + earned), now
        newest = entries[max(0, len(entries) - int(self._affords)) :]
        self._affords -= len(newest)
        return newest
