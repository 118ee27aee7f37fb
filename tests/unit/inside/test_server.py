"""The server of the plugin under hostile and careless clients."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.inside.trimtab_inside.private_socket import server as server_module
from engines.inside.trimtab_inside.private_socket import sockets as sockets_module
from engines.inside.trimtab_inside.private_socket.protocol import LONGEST_LINE
from engines.inside.trimtab_inside.private_socket.server import MOST_CONNECTIONS, Server
from tests.unit.inside.inside_standins import Request, Scheduler32, start_server
from tests.waiting import PATIENCE_S, HeldClock, wait_until


@pytest.fixture
def scheduler() -> Scheduler32:
    return Scheduler32(seqs=32)


@pytest.fixture
def server(tmp_path: Path, scheduler: Scheduler32) -> Iterator[Server]:
    started = start_server(tmp_path / "1.sock", scheduler)
    yield started
    started.stop()


def connections(server: Server) -> list[Any]:
    return list(server._connections.values())


def connect(server: Server) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(PATIENCE_S)
    channel.connect(str(server.path))
    return channel


def hear(channel: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n") and (data := channel.recv(1 << 16)):
        received += data
    return received


def ask(server: Server, line: bytes) -> dict[str, Any]:
    with connect(server) as channel:
        channel.sendall(line + b"\n")
        reply = json.loads(hear(channel))
    assert isinstance(reply, dict)
    return reply


def say(server: Server, **message: Any) -> dict[str, Any]:
    return ask(server, json.dumps({"v": 1, **message}).encode())


def test_hello_tells_who_is_there(server: Server) -> None:
    reply = say(server, op="hello")
    told = {"ok": True, "protocol": 1, "pid": os.getpid(), "scheduler": "Scheduler32"}
    assert told.items() <= reply.items()
    assert {"vllm_version", "engine", "dp_rank", "seq"} <= reply.keys()


def test_hello_is_answered_in_any_version_and_the_rest_is_not(server: Server) -> None:
    assert say(server, op="hello", v=99)["protocol"] == 1
    refused = say(server, op="knobs", v=99)
    assert (refused["ok"], refused["code"]) == (False, "version")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "json"),
        (b"\xff\xfe\x00", "json"),
        (b"[" * 8000, "json"),
        (b"9" * 5000, "json"),
        (b'"text"', "json"),
        (b'{"v":1}', "op"),
        (b'{"v":1,"op":"reboot"}', "op"),
        (b'{"v":1,"op":"set"}', "value"),
        (b'{"v":1,"op":"set","value":1.5}', "value"),
        (b'{"v":1,"op":"set","value":%d}' % (10**100), "value"),
        (b'{"v":1,"op":"set","value":1,"id":7}', "id"),
        (b'{"v":1,"op":"set","value":1,"id":"x","knob":"y","who":"me"}', "knob"),
        (b'{"v":1,"op":"set","value":1,"id":"x","knob":"y","who":""}', "who"),
        (b'{"v":1,"op":"set","value":1,"cause":"lease"}', "cause"),
        (b'{"v":1,"op":"confirm","id":"none"}', "change"),
        (b'{"v":1,"op":"put_back","id":"none"}', "change"),
        (b'{"v":1,"op":"journal","since":true}', "since"),
    ],
)
def test_nonsense_gets_one_clear_no(server: Server, line: bytes, code: str) -> None:
    reply = ask(server, line)
    assert (reply["ok"], reply["code"]) == (False, code)
    assert say(server, op="hello")["ok"]


@pytest.mark.parametrize("lease", ["NaN", "Infinity", "-1", "0", "1e9", "true", '"5"', "9" * 400])
def test_a_lease_is_a_sound_number(server: Server, scheduler: Scheduler32, lease: str) -> None:
    change = '"op":"set","id":"x","knob":"max_num_seqs","who":"me","value":1'
    assert ask(server, f'{{"v":1,{change},"lease_s":{lease}}}'.encode())["code"] == "lease_s"
    assert scheduler.max_num_active_reqs == 32


@pytest.mark.parametrize("field", ["id", "who", "why", "knob", "undoes"])
def test_words_have_a_longest(server: Server, field: str) -> None:
    message = {"op": "set", "id": "x", "knob": "max_num_seqs", "value": 1, "who": "me"}
    assert say(server, **{**message, field: "x" * 500})["code"] == field


@pytest.mark.parametrize("field", ["id", "who", "why", "knob", "undoes"])
def test_words_are_whole_characters(server: Server, field: str) -> None:
    """The end of a lease is named by a hash of its change's id, which would end the server."""
    message = {"op": "set", "id": "x", "knob": "max_num_seqs", "value": 1, "who": "me"}
    assert say(server, **{**message, "lease_s": 0.01, field: "\ud800"})["code"] == field


def test_set_confirm_and_journal(server: Server, scheduler: Scheduler32) -> None:
    change = {"id": "a", "knob": "max_num_seqs", "value": 3, "who": "me", "hold": True}
    assert say(server, op="set", **change)["change"]["outcome"] == "applied"
    assert scheduler.max_num_active_reqs == 3
    assert say(server, op="journal", since=0)["entries"] == []
    say(server, op="confirm", id="a")
    journal = say(server, op="journal", since=0)
    assert [entry["id"] for entry in journal["entries"]] == ["a"]
    assert say(server, op="journal", since=journal["seq"])["entries"] == []


def test_a_line_without_end_is_cut_off(server: Server) -> None:
    with connect(server) as channel:
        try:
            for _ in range(64):
                channel.sendall(b"x" * LONGEST_LINE)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            pytest.fail("the server took half a megabyte of one line")
    assert say(server, op="hello")["ok"]


def test_a_long_line_that_ends_is_refused_too(server: Server) -> None:
    with connect(server) as channel:
        channel.sendall(b" " * (LONGEST_LINE - 10))
        wait_until(lambda: [len(one.inbox) for one in connections(server)] == [LONGEST_LINE - 10])
        channel.sendall(b" " * 100 + b'{"op":"hello"}\n')
        assert json.loads(hear(channel))["code"] == "long"


def test_a_client_that_ends_in_the_middle_of_a_line_leaves_nothing(
    server: Server, scheduler: Scheduler32
) -> None:
    with connect(server) as channel:
        channel.sendall(b'{"v":1,"op":"set","id":"x","knob":"max_num_seqs","who":"me","value":1')
    assert say(server, op="hello")["ok"]
    assert scheduler.max_num_active_reqs == 32


def test_two_hundred_connections_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    patience_s = server_module.PATIENCE_S
    for name in ("PATIENCE_S", "SILENCE_S"):
        monkeypatch.setattr(server_module, name, 3600.0)
    crowd = []
    for _ in range(200):
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel.connect(str(server.path))
        channel.settimeout(PATIENCE_S)
        crowd.append(channel)
    assert len(server._connections) <= MOST_CONNECTIONS
    refused = [json.loads(hear(channel))["code"] for channel in crowd[MOST_CONNECTIONS:][:3]]
    assert refused == ["busy"] * 3
    assert len(server._connections) == MOST_CONNECTIONS
    monkeypatch.setattr(server_module, "PATIENCE_S", patience_s)
    # Silent connections make room; until then whoever comes is sent away, perhaps while it speaks.
    wait_until(lambda: say(server, op="hello")["ok"], not_yet=(OSError, ValueError))
    for channel in crowd:
        channel.close()


def test_a_silent_connection_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SILENCE_S", 0.2)
    with connect(server) as channel:
        channel.sendall(b"half a li")
        assert channel.recv(100) == b""


def test_a_client_that_does_not_read_is_not_stored(server: Server) -> None:
    with connect(server) as channel:
        wait_until(lambda: connections(server))
        channel.settimeout(0.2)
        line = b'{"v":1,"op":"knobs"}\n'
        sent = 0
        try:
            while sent < 8 << 20:
                sent += channel.send(line * 300)
        except TimeoutError:
            pass
        assert sent < 4 << 20, "the server went on reading"
        (connection,) = server._connections.values()
        assert len(connection.inbox) + len(connection.outbox) < 64 << 10
        assert say(server, op="hello")["ok"]


def test_lines_sent_together_are_answered_in_order(server: Server) -> None:
    with connect(server) as channel:
        channel.sendall(b'{"v":1,"op":"hello"}\nbad\n{"v":1,"op":"knobs"}\n')
        channel.shutdown(socket.SHUT_WR)
        answers = b""
        while data := channel.recv(1 << 16):
            answers += data
    parsed = [json.loads(line) for line in answers.splitlines()]
    assert [answer["ok"] for answer in parsed] == [True, False, True]


def test_a_lease_ends_with_no_client_and_no_step(tmp_path: Path, scheduler: Scheduler32) -> None:
    clock = HeldClock()
    server = start_server(tmp_path / "1.sock", scheduler, clock=clock)
    change = {"id": "a", "knob": "max_num_seqs", "value": 3, "who": "me", "lease_s": 0.1}
    say(server, op="set", **change)
    assert scheduler.max_num_active_reqs == 3
    clock.go()
    wait_until(lambda: scheduler.max_num_active_reqs == 32)
    server.stop()


def test_a_value_never_lands_within_a_step(tmp_path: Path) -> None:
    """The budget is read early and asserted late: a value in between would end the engine."""

    class Slow(Scheduler32):
        def schedule(self, throttle_prefills: bool = False) -> list[str]:
            early = self.max_num_scheduled_tokens
            time.sleep(0.002)
            assert early == self.max_num_scheduled_tokens
            return super().schedule()

    scheduler = Slow(seqs=8, tokens=256)
    server = start_server(tmp_path / "1.sock", scheduler)
    done = threading.Event()

    def turn() -> None:
        for number in range(60):
            change = {"knob": "max_num_batched_tokens", "value": 100 + number, "who": "me"}
            say(server, op="set", id=str(number), **change)
        done.set()

    client = threading.Thread(target=turn)
    client.start()
    steps = 0
    while not done.is_set():
        scheduler.add_request(Request(str(steps)))
        scheduler.schedule(True)
        scheduler.finish(1)
        steps += 1
    client.join()
    server.stop()
    assert steps > 10


def test_a_server_that_has_just_ended_is_not_woken_up(
    tmp_path: Path, scheduler: Scheduler32, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number it would be woken up by may be another file's by then."""
    server = start_server(tmp_path / "1.sock", scheduler)
    thread = server._thread

    def alive_a_moment_ago() -> bool:
        connect(server).close()  # it takes a turn, and sees that it is to stop
        thread.join()
        return True

    monkeypatch.setattr(thread, "is_alive", alive_a_moment_ago)
    server.stop()
    assert not server.path.exists()


def test_stop_removes_the_socket_and_restores(tmp_path: Path, scheduler: Scheduler32) -> None:
    server = start_server(tmp_path / "1.sock", scheduler)
    say(server, op="set", id="a", knob="max_num_seqs", value=3, who="me")
    server.stop()
    assert not server.path.exists()
    assert scheduler.max_num_active_reqs == 32


def test_a_socket_that_was_swept_away_is_there_again(
    tmp_path: Path, scheduler: Scheduler32, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "LOOK_S", 0.05)
    home = tmp_path / "sockets"
    home.mkdir(mode=0o700)
    server = start_server(home / "1.sock", scheduler)
    try:
        server.path.unlink()
        home.rmdir()
        wait_until(server.path.exists)
        assert server.path.stat().st_mode & 0o777 == 0o600
        with connect(server) as channel:
            channel.sendall(b'{"op": "hello"}\n')
            assert json.loads(hear(channel))["protocol"]
    finally:
        server.stop()


@pytest.mark.parametrize("squatted", ["a file", "an open directory", "a socket of the same name"])
def test_a_place_that_was_swept_and_taken_is_left_for_the_next_one(
    tmp_path: Path, scheduler: Scheduler32, monkeypatch: pytest.MonkeyPatch, squatted: str
) -> None:
    monkeypatch.setattr(server_module, "LOOK_S", 0.05)
    monkeypatch.setattr(sockets_module, "ROOT", tmp_path)
    monkeypatch.setattr(sockets_module, "RUN", tmp_path / "run")
    usual, other = sockets_module.directories(os.geteuid())
    other.parent.mkdir(parents=True)
    usual.mkdir(mode=0o700)
    server = start_server(usual / "1.sock", scheduler)
    try:
        usual.rename(tmp_path / "swept")
        if squatted == "a file":
            usual.write_text("mine")
        else:
            usual.mkdir()
            usual.chmod(0o777)
            if squatted != "an open directory":
                (usual / "1.sock").write_text("mine")
        wait_until(lambda: sockets_module.place_of("1.sock", os.geteuid()).parent == other)
        assert json.loads(said_to(other / "1.sock", b'{"op": "hello"}\n'))["protocol"]
    finally:
        server.stop()
    assert not (other / "1.sock").exists()
    if squatted == "a socket of the same name":
        assert (usual / "1.sock").read_text() == "mine"


def said_to(path: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.connect(str(path))
        channel.sendall(line)
        return hear(channel)


def test_a_socket_in_use_does_not_grow_old(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LOOK_S", 0.05)
    monkeypatch.setattr(server_module, "FRESH_S", 0.0)
    os.utime(server.path, (1, 1))
    with connect(server):
        pass  # it wakes, and looks from now on
    wait_until(lambda: server.path.stat().st_mtime > 1)
