"""What the states of one supervisor share: its engine, what is kept of it, what was asked."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.launch.launch import Launch
from engines.serving.log_rotation import LogRotation
from engines.serving.start_watch import StartWatch
from engines.serving.started import Started
from engines.serving.stopping import Stopped
from engines.supervisor.common.backoff import Backoff
from engines.supervisor.common.memory import Memory
from engines.supervisor.common.telling import interrupted, tell_event
from engines.supervisor.takeover.restart import Adoption
from engines.supervisor_client.swap_order import Order
from store.reports.swap import SwapReport

TURN_S = 0.2
"""How often a state that waits looks whether something has come about."""


@dataclass
class Requests:
    """What was asked and is not done yet: a stop with its drain in seconds, a swap, calling off the
    swap that runs."""

    drain_s: float | None = None
    order: Order | None = None
    call_off: bool = False


class Context:
    """One engine's, under one supervisor. Written by the thread that supervises, read by the one
    that answers; only `requests` is written by both."""

    def __init__(
        self,
        memory: Memory,
        listener: socket.socket,
        keep: Callable[[Memory], None],
        adoption: Adoption | None = None,
    ) -> None:
        self.memory = memory
        self.listener = listener
        self.adoption = adoption
        self.requests = Requests()
        self.backoff = Backoff()
        self.log_rotation = LogRotation()
        self.engine: Started | None = None
        self.watch: StartWatch | None = None
        self.serving_since: float | None = None
        unfinished = memory.swap
        self.swap: SwapReport | None = None if unfinished is None else interrupted(unfinished.order)
        self.stopped: Stopped | None = None
        self.end_told = threading.Event()
        """Set once somebody has heard of the end."""
        self._keep = keep

    @property
    def launch(self) -> Launch:
        """The one in force."""
        return self.memory.launch

    @property
    def db(self) -> Path | None:
        """The ledger that is told."""
        return None if self.launch.db is None else Path(self.launch.db)

    def remember(self, memory: Memory) -> None:
        """Keep this for the supervisor that follows if this one is killed."""
        self.memory = memory
        self._keep(memory)

    def say(self, text: str, *, quiet: bool = False) -> None:
        """A line in the supervisor's log, and in the ledger's event log unless `quiet`."""
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self.launch.name}: {text}\n")
            sys.stderr.flush()
        if not quiet:
            tell_event(self.db, self.launch, "engine", text)
