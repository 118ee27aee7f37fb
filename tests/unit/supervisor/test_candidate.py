"""The engine that is to take over, and when it can be asked."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from engines.control.wire import ControlLost
from engines.host import lifetime
from engines.inside.trimtab_inside.private_socket import sockets
from engines.inside.trimtab_inside.private_socket.protocol import encode
from engines.inside.trimtab_inside.private_socket.server import Server
from engines.serving.started import Started
from engines.supervisor.swap import candidate
from engines.supervisor.swap.candidate import Candidate

LATE_S = 0.5


class Desk:
    """A front that takes connections, and has none."""

    def answer(self, _line: bytes, _received: float) -> tuple[bytes, tuple[int, ...]]:
        return encode({"ok": True, "accepting": True, "connections": 0, "in_flight": 0}), ()

    def tick(self) -> float | None:
        return None

    def release(self) -> None:
        pass


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """This process in the place of an engine whose log says that it has started."""
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(sockets, "ROOT", tmp_path)
    monkeypatch.setattr(sockets, "RUN", tmp_path / "run")
    monkeypatch.setattr(candidate, "wait_healthy", lambda *_, **__: None)
    ticks = lifetime.start_ticks(os.getpid())
    assert ticks is not None
    return Candidate(Started("m", os.getpid(), ticks, "http://127.0.0.1:1", tmp_path / "m.log"))


@pytest.mark.parametrize("taken", [False, True])
def test_a_front_that_opens_late_is_waited_for(
    new: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """Wherever it opens: anybody may take the usual place."""
    if taken:
        (tmp_path / f"trimtab-{os.geteuid()}").mkdir(mode=0o755)
        user_home = tmp_path / "run" / "user" / str(os.geteuid())
        user_home.mkdir(parents=True)
    opened: list[Server] = []

    def open_front() -> None:
        time.sleep(LATE_S)
        opened.append(Server(sockets.own_directory() / f"{os.getpid()}-front.sock", Desk()))
        opened[0].start()

    thread = threading.Thread(target=open_front)
    thread.start()
    try:
        new.wait_healthy(1.0, lambda _: None)
        assert new.front.state().accepting
    finally:
        thread.join()
        opened[0].stop()


def test_a_front_that_does_not_come_is_told(
    new: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate, "FRONT_S", 0.1)
    with pytest.raises(ControlLost, match="cannot be controlled"):
        new.wait_healthy(1.0, lambda _: None)
