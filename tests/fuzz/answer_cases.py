"""Hostile answers to our own clients, and what must hold of them all along."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from engines.inside.trimtab_inside.private_socket import sockets
from engines.serving import name_lock, stopping
from engines.supervisor_client import client as supervisor
from store.errors import TrimtabError
from tests.fuzz.client_calls import (
    NAME,
    SHORT_S,
    Call,
    Kept,
    front_calls,
    plugin_calls,
    supervisor_calls,
)
from tests.fuzz.finding import Finding, Late
from tests.fuzz.hostile_server import HostileServer
from tests.fuzz.sound_answers import answers_of
from tests.fuzz.target import memory_kib, open_files

GROWTH_KIB = 64 * 1024
"""This process holds the tests' own things, too."""
LOOK_EVERY = 200
WARM_CASES = 1_000
_CALLS = {"plugin": plugin_calls, "front": front_calls, "supervisor": supervisor_calls}
_WAITS: tuple[tuple[Any, str, float], ...] = (
    (supervisor, "BEGIN_S", 0.2),
    (supervisor, "NOTICE_S", 0.05),
    (supervisor, "STOP_ASK_S", 0.5),
    (supervisor, "_POLL_S", 0.001),
    (stopping, "GRACE_S", 0.1),
    (name_lock, "LINGERS_S", 0.1),
)
"""What a client waits for besides an answer is made short."""


class AnswerCases:
    """The clients of a protocol under fire. `late_s` is what they may be late on a busy machine."""

    def __init__(self, protocol: str, home: Path, late_s: float) -> None:
        self._protocol = protocol
        self._home = home / "answers"
        self._late_s = late_s
        self._stack = contextlib.ExitStack()
        self._memory_kib = 0
        self.cases = 0

    def __enter__(self) -> AnswerCases:
        """Serve, with this process's sockets and data in a place of their own."""
        data = {"TRIMTAB_DATA_DIR": str(self._home / "data")}
        self._stack.enter_context(patch.dict(os.environ, data))
        self._stack.enter_context(patch.object(sockets, "ROOT", self._home))
        for module, name, seconds in _WAITS:
            self._stack.enter_context(patch.object(module, name, seconds))
        self._home.mkdir()
        path = supervisor.socket_of(NAME)
        path.parent.mkdir(mode=0o700)
        kept = Kept(self._home / "ledger.db")
        self._stack.callback(kept.close)
        self._server = HostileServer(path, answers_of(self._protocol))
        self._stack.callback(self._server.close)
        self._calls: tuple[Call, ...] = _CALLS[self._protocol](path, kept)
        return self

    def __exit__(self, *_: object) -> None:
        """Serve no more."""
        self._stack.close()

    def run(self, chance: Random) -> None:
        """One case. Raises `Finding`."""
        self._server.begin(chance)
        call = chance.choice(self._calls)
        files, began = open_files("self"), time.monotonic()
        try:
            call.act(chance)
        except TrimtabError as error:
            if not str(error).isprintable():
                raise Finding(f"an error is not printable: {error!r}") from None
        except Exception as error:
            raise Finding(f"{type(error).__name__} left a client: {error}"[:400]) from error
        took_s = time.monotonic() - began
        if took_s > call.asks * SHORT_S + self._late_s:
            raise Late(f"a client took {took_s:.1f} s")
        self.cases += 1
        self._check_files(files)
        if self.cases % LOOK_EVERY == 0:
            self._check_memory()

    def _check_files(self, before: list[str]) -> None:
        if not self._server.wait_idle():
            raise Finding("a client has not let go of its connection")
        if len(files := open_files("self")) > len(before):
            raise Finding(f"its open files were {before}, now {files}")

    def _check_memory(self) -> None:
        gc.collect()
        held_kib = memory_kib("self")
        if self.cases <= WARM_CASES:
            self._memory_kib = held_kib
        elif held_kib > self._memory_kib + GROWTH_KIB:
            raise Finding(f"the clients' memory went from {self._memory_kib} to {held_kib} KiB")
