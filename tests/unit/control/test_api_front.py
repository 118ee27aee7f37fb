"""An API server's front, on a real uvicorn that serves a small application."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.control.api_front import Front, front_path
from engines.control.inside_path import INSIDE
from engines.control.wire import ControlLost, ControlRefused
from tests import waiting
from tests.waiting import PATIENCE_S

PROGRAM = """
import asyncio, os, socket, sys
import trimtab_inside
trimtab_inside.install()
import uvicorn
address = ("127.0.0.1", int(sys.argv[1]))
os.makedirs("vllm/entrypoints/launchers", exist_ok=True)
for package in ("vllm", "vllm/entrypoints", "vllm/entrypoints/launchers"):
    open(package + "/__init__.py", "a").close()
with open("vllm/entrypoints/launchers/launcher.py", "w") as file:
    file.write("def create_server_socket(address, reuse_port=False): raise OSError(address)")
sys.path.insert(0, ".")
from vllm.entrypoints.launchers.launcher import create_server_socket
async def app(scope, receive, send):
    if scope["type"] == "http":
        while scope["query_string"] == b"slow" and not os.path.exists("go on"):
            await asyncio.sleep(0.02)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
config = uvicorn.Config(app, lifespan="off", timeout_keep_alive=float(sys.argv[2]))
uvicorn.Server(config).run(sockets=[create_server_socket(address)])
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as one:
        yield one


@contextmanager
def server(
    tmp_path: Path, listener: socket.socket, *, held: bool = False, idle_s: float = PATIENCE_S
) -> Iterator[int]:
    """A server that inherits the listener; its PID. A slow request ends when `go_on` lets it."""
    environ = os.environ | {
        "PYTHONPATH": str(INSIDE),
        "TRIMTAB_LISTEN_FD": str(listener.fileno()),
        "TRIMTAB_HOLD": "1" if held else "0",
    }
    port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port), str(idle_s)],
        env=environ,
        cwd=tmp_path,
        pass_fds=[listener.fileno()],
    )
    try:
        wait_until(lambda: front(process.pid).state() is not None)
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def front(pid: int) -> Front:
    return Front(front_path(pid, os.geteuid()))


def go_on(tmp_path: Path) -> None:
    (tmp_path / "go on").touch()


def wait_until(holds: Callable[[], bool]) -> None:
    waiting.wait_until(holds, not_yet=(ControlLost, ControlRefused))


class Client(threading.Thread):
    """One request over the public address, in a thread of its own."""

    def __init__(self, listener: socket.socket, how: str = "") -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(*listener.getsockname(), timeout=PATIENCE_S)
        self.how = how
        self.answer = ""
        self.told_to_come_back = False
        self.start()

    def run(self) -> None:
        self.connection.request("GET", f"/?{self.how}")
        reply = self.connection.getresponse()
        self.answer = reply.read().decode()
        self.told_to_come_back = reply.will_close


def ask(listener: socket.socket) -> Client:
    client = Client(listener)
    client.join(PATIENCE_S)
    return client


def test_it_serves_on_the_inherited_address_and_counts_what_runs(
    tmp_path: Path, listener: socket.socket
) -> None:
    with server(tmp_path, listener) as pid:
        assert ask(listener).answer == str(pid)
        slow = Client(listener, "slow")
        wait_until(lambda: front(pid).state().in_flight == 1)
        go_on(tmp_path)
        slow.join()
        wait_until(lambda: front(pid).state().in_flight == 0)
        assert front(pid).state().connections == 1
        slow.connection.close()


def test_closed_it_finishes_what_runs_and_leaves_the_rest_in_the_queue(
    tmp_path: Path, listener: socket.socket
) -> None:
    with server(tmp_path, listener) as pid:
        slow = Client(listener, "slow")
        wait_until(lambda: front(pid).state().in_flight == 1)
        assert not front(pid).close().accepting
        later = Client(listener)
        go_on(tmp_path)
        slow.join()
        assert slow.answer == str(pid)
        assert slow.told_to_come_back
        wait_until(lambda: front(pid).state().connections == 0)
        later.join(0.5)
        assert later.is_alive()
        assert front(pid).open().accepting
        later.join(PATIENCE_S)
        assert later.answer == str(pid)
        assert not later.told_to_come_back


def test_idle_connections_go_by_themselves(tmp_path: Path, listener: socket.socket) -> None:
    with server(tmp_path, listener, idle_s=2) as pid:
        idle = ask(listener)
        assert front(pid).close().connections == 1
        wait_until(lambda: front(pid).state().connections == 0)
        idle.connection.close()


def test_a_second_server_takes_over_and_nobody_is_refused(
    tmp_path: Path, listener: socket.socket
) -> None:
    (tmp_path / "b").mkdir()
    with server(tmp_path, listener) as old, server(tmp_path / "b", listener, held=True) as new:
        assert {ask(listener).answer for _ in range(20)} == {str(old)}
        private = http.client.HTTPConnection("private")
        private.sock = socket.socket(socket.AF_UNIX)
        private.sock.connect(str(front(new).http_path()))
        private.request("GET", "/")
        assert private.getresponse().read().decode() == str(new)
        front(new).open()
        front(old).close()
        assert {ask(listener).answer for _ in range(20)} == {str(new)}
        assert front(new).state().in_flight == 0


def test_the_address_is_given_to_a_new_owner(tmp_path: Path, listener: socket.socket) -> None:
    with server(tmp_path, listener) as pid, front(pid).listener() as copy:
        assert copy.getsockname() == listener.getsockname()
        listener.close()
        assert ask(copy).answer == str(pid)


def test_children_and_others_learn_nothing_of_the_address(
    tmp_path: Path, listener: socket.socket
) -> None:
    code = (
        "import os, subprocess, trimtab_inside; trimtab_inside.install();"
        "print(subprocess.run(['ls', '/proc/self/fd'], capture_output=True).stdout.split(),"
        " [n for n in os.environ if n.startswith('TRIMTAB')])"
    )
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(INSIDE),
        "TRIMTAB_LISTEN_FD": str(listener.fileno()),
        "TRIMTAB_HOLD": "1",
    }
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        pass_fds=[listener.fileno()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"b'{listener.fileno()}'" not in told
    assert told.endswith("[]\n")


def test_what_makes_no_sense_is_refused(tmp_path: Path, listener: socket.socket) -> None:
    with server(tmp_path, listener) as pid:
        path = front_path(pid, os.geteuid())
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(path))
            channel.sendall(b'{"v": 1, "op": "fly"}\n{"v": 9, "op": "close"}\n')
            lines = channel.makefile("rb")
            assert json.loads(lines.readline())["code"] == "op"
            assert json.loads(lines.readline())["code"] == "version"
        assert front(pid).state().accepting


@contextmanager
def gives(tmp_path: Path, *files: int) -> Iterator[Front]:
    """A front that lies: it gives these open files, whatever it is asked."""
    path = tmp_path / "lies.sock"

    def serve(channel: socket.socket) -> None:
        with channel:
            channel.recv(4096)
            socket.send_fds(channel, [b'{"ok":true,'], files)
            socket.send_fds(channel, [b'"connections":0,"in_flight":0}\n'], files)

    with socket.socket(socket.AF_UNIX) as lying:
        lying.bind(str(path))
        lying.listen()
        answering = threading.Thread(target=lambda: serve(lying.accept()[0]))
        answering.start()
        yield Front(path)
        answering.join()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_is_no_listener_is_not_taken_for_one_and_nothing_stays_open(tmp_path: Path) -> None:
    with socket.socket() as unbound, (tmp_path / "file").open("w") as file:
        for given in (unbound.fileno(), file.fileno()):
            before = open_files()
            with gives(tmp_path, given, given) as front, pytest.raises(ControlLost):
                front.listener()
            assert open_files() == before
            (tmp_path / "lies.sock").unlink()


def test_files_that_nobody_asked_for_do_not_stay_open(
    tmp_path: Path, listener: socket.socket
) -> None:
    before = open_files()
    with gives(tmp_path, *[listener.fileno()] * 3) as front:
        assert front.state().connections == 0
    assert open_files() == before
    (tmp_path / "lies.sock").unlink()
    with gives(tmp_path, *[listener.fileno()] * 3) as front, front.listener() as copy:
        assert copy.getsockname() == listener.getsockname()
        assert not os.get_inheritable(copy.fileno())
    assert open_files() == before
