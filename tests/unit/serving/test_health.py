"""Who answers at an engine's address is that engine, or it is not healthy."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.launch.launch import Launch
from engines.serving.health import HealthCheck
from engines.serving.started import Started
from engines.supervisor.takeover.conditions import Conditions
from engines.supervisor.takeover.restart import Adoption, AdoptionOrder
from engines.supervisor.takeover.sockets import Held, Taken
from engines.supervisor_client.adoption_report import GIVEN_BACK, LOST


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """Of a healthy server in this process."""
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "127.0.0.1", server.server_port
        server.shutdown()


@pytest.fixture
def idle() -> Iterator[int]:
    """A process that serves nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def started(pid: int, address: tuple[str, int]) -> Started:
    ticks = lifetime.start_ticks(pid) or 0
    return Started("chat", pid, ticks, f"http://{address[0]}:{address[1]}", Path("/nowhere.log"))


def test_another_process_at_the_address_is_not_believed(
    address: tuple[str, int], idle: int
) -> None:
    assert HealthCheck(started(os.getpid(), address)).passes(has_started=True)
    assert not HealthCheck(started(idle, address)).passes(has_started=True)


@pytest.mark.parametrize("itself", [True, False])
def test_an_adoption_that_goes_back_believes_only_the_old_command(
    address: tuple[str, int],
    idle: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    itself: bool,
) -> None:
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "chat.log").write_text("INFO:     Application startup complete.\n")
    url = f"http://{address[0]}:{address[1]}"
    launch = Launch("chat", "m", ("vllm", "serve", "m"), {}, address, url)
    held = Held((1,), 0, *address)
    order = AdoptionOrder(1, 1, {}, Conditions({}, (0,), 0, None), held, 1.0, 1.0)
    with socket.socket() as listener:
        adoption = Adoption(order, Taken(listener, "after"), launch)
        pid = os.getpid() if itself else idle
        adoption.follow_old(launch, (pid, lifetime.start_ticks(pid) or 0), lambda *_: None)
    assert adoption.report.outcome == (GIVEN_BACK if itself else LOST)
