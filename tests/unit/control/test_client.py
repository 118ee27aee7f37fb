"""The client against the real server, and against servers that misbehave."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.control import channel
from engines.control.client import PluginClient
from engines.control.wire import ControlLost, ControlRefused
from engines.inside.trimtab_inside.private_socket.server import MOST_CONNECTIONS
from store.records import Change
from tests.unit.inside.inside_standins import Scheduler32, start_server
from tests.waiting import PATIENCE_S


def change(value: Any = 4, knob: str = "max_num_seqs", **more: Any) -> Change:
    fields = {"id": "x", "ts_ms": 0, "outcome": "failed", "cause": "set", "who": "me", **more}
    return Change(knob=knob, from_value=None, to_value=value, **fields)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[PluginClient]:
    server = start_server(tmp_path / "1.sock", Scheduler32(seqs=32), "EngineCore_DP0")
    yield PluginClient(server.path)
    server.stop()


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Callable[..., PluginClient]]:
    """A server that does with each connection what the test says."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "2.sock"))
    listener.listen()

    def start(act: Callable[[socket.socket], None], deadline_s: float = PATIENCE_S) -> PluginClient:
        def serve() -> None:
            while True:
                try:
                    channel, _ = listener.accept()
                    with channel:
                        act(channel)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        return PluginClient(tmp_path / "2.sock", deadline_s=deadline_s)

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_hello_knobs_set_journal(client: PluginClient) -> None:
    assert client.hello().pid == os.getpid()
    assert [state.name for state in client.knobs()][:2] == ["enable_prefix_caching", "max_num_seqs"]
    done = client.set(change(4, why="too slow", lease_s=60.0, undoes="other"))
    assert (done.from_value, done.to_value, done.outcome) == (32, 4, "applied")
    assert done.per_engine == {"EngineCore_DP0": "applied"}
    assert done.took_ms is not None
    assert client.journal() == (1, [done])
    assert client.journal(1) == (1, [])
    assert next(s for s in client.knobs() if s.name == "max_num_seqs").value == 4


def test_what_was_refused_inside_is_an_outcome(client: PluginClient) -> None:
    assert client.set(change(99)).outcome == "refused"


def test_what_makes_no_sense_is_refused_with_its_code(client: PluginClient) -> None:
    with pytest.raises(ControlRefused) as caught:
        client.set(change(1, knob="dtype"))
    assert caught.value.code == "knob"
    with pytest.raises(ControlRefused):
        client.confirm("nobody's")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ControlLost) as caught:
        PluginClient(tmp_path / "3.sock").hello()
    assert caught.value.exit_code == 3


def test_left_behind_socket(tmp_path: Path) -> None:
    path = tmp_path / "3.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(ControlLost, match="refused"):
        PluginClient(path).hello()


def test_a_busy_engine_is_asked_again(client: PluginClient) -> None:
    crowd = []
    for _ in range(MOST_CONNECTIONS):
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel.connect(str(client.path))
        crowd.append(channel)
    assert client.hello().protocol == 1
    for channel in crowd:
        channel.close()


def test_silence_and_dripping_end_at_the_deadline(strange: Any) -> None:
    def drip(channel: socket.socket) -> None:
        for _ in range(40):
            channel.send(b" ")
            time.sleep(0.05)

    began = time.monotonic()
    with pytest.raises(ControlLost, match=r"no answer within 0\.3 s"):
        strange(drip, deadline_s=0.3).hello()
    assert time.monotonic() - began < 1.5, "the deadline is for the whole exchange"


def test_an_endless_answer_is_cut(strange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MOST_BYTES", 1 << 16)

    def flood(channel: socket.socket) -> None:
        while True:
            channel.send(b"x" * 4096)

    with pytest.raises(ControlLost, match="cut off or no JSON"):
        strange(flood).hello()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\n",
        b"[1]\n",
        b'{"ok":true}\n',
        b"[" * 50_000 + b"\n",
        b'{"ok":true,"pid":true',
    ],
)
def test_strange_answers(strange: Any, answer: bytes) -> None:
    def act(channel: socket.socket) -> None:
        channel.recv(4096)
        channel.sendall(answer)

    with pytest.raises(ControlLost):
        strange(act).hello()


def test_text_from_the_engine_is_cleaned(strange: Any) -> None:
    knob = {"name": "max_num_seqs\x1b[2J", "kind": "live", "value": 1, "reason": "a\nb\x00" * 400}
    reply = json.dumps({"ok": True, "engine": "E", "knobs": [knob]}).encode() + b"\n"

    def act(channel: socket.socket) -> None:
        channel.recv(4096)
        channel.sendall(reply)

    (state,) = strange(act).knobs()
    assert state.name == "max_num_seqs[2J"
    assert state.reason.isprintable()
    assert len(state.reason) == 500


def test_an_impostors_socket_is_not_spoken_to(
    client: PluginClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    monkeypatch.setattr(channel, "_owner", lambda path: uid + 1)
    with pytest.raises(ControlLost, match="served by uid"):
        client.hello()


def test_a_number_too_large_for_anything_is_unknown(strange: Any) -> None:
    """No float and no column of a ledger could hold it."""
    knob = {"name": "max_num_seqs", "kind": "live", "reason": "", "lease_left_s": 10**400}
    reply = json.dumps({"ok": True, "engine": "E", "knobs": [knob]}).encode() + b"\n"

    def act(channel: socket.socket) -> None:
        channel.recv(4096)
        channel.sendall(reply)

    (state,) = strange(act).knobs()
    assert state.lease_left_s is None


def test_more_knobs_than_an_engine_has_are_no_answer(
    strange: Callable[..., PluginClient],
) -> None:
    """They would go into the ledger, and take seconds to be compared."""
    knob = {"kind": "live", "value": 1, "start": 1, "reason": ""}

    def tell(channel: socket.socket) -> None:
        channel.recv(1 << 16)
        knobs = [{**knob, "name": f"k{number}"} for number in range(8_000)]
        channel.sendall(json.dumps({"ok": True, "knobs": knobs}).encode() + b"\n")

    with pytest.raises(ControlLost, match="speaks strangely"):
        strange(tell).knobs()
