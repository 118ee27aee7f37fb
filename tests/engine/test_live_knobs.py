"""The plugin inside a real vLLM: each knob does what it says, and no client can harm it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.control.client import PluginClient
from engines.control.knobs import read_journal, read_knobs, set_knob
from store.knobs.specs import KNOBS
from tests.engine.conftest import LiveEngine
from tests.engine.knob_effects import counted, knob, mostly_cached, steps_of_a_long_prompt, turn
from tests.waiting import wait_until

pytestmark = pytest.mark.engine


def alive(engine: LiveEngine) -> set[int]:
    """The processes that hold the engine; none of them may change."""
    cores = {PluginClient(path).hello().pid for path in engine.sockets}
    return {engine.pid} | cores


def test_every_knob_is_live_and_says_who_it_is(engine: LiveEngine) -> None:
    (path,) = engine.sockets
    hello = PluginClient(path).hello()
    assert hello.vllm_version.startswith("0.")
    assert hello.engine.startswith("EngineCore")  # with its rank, where it always has one
    states = read_knobs(engine.sockets)
    assert [state.name for state in states] == list(KNOBS)
    assert all(state.kind == "live" for state in states)
    seqs = next(state for state in states if state.name == "max_num_seqs")
    assert (seqs.minimum, seqs.value, seqs.start, seqs.maximum) == (1, 32, 32, 32)


def test_prefix_caching_stops_and_comes_back_warm(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    processes = alive(engine)
    with under_load(clients=6, tokens=8) as load:
        wait_until(lambda: mostly_cached(counted(engine, load, 12)))
        turn(engine, "enable_prefix_caching", False)
        wait_until(lambda: counted(engine, load, 6)[1] == 0)
        prompt, cached = counted(engine, load, 12)
        assert (prompt > 0, cached) == (True, 0)
        turn(engine, "enable_prefix_caching", True)
        wait_until(lambda: mostly_cached(counted(engine, load, 12)))
    assert load.failed == []
    assert alive(engine) == processes


def test_a_lower_cap_drains_and_a_higher_one_fills(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    running = "vllm:num_requests_running"
    with under_load(clients=12, tokens=64) as load:
        wait_until(lambda: engine.metric(running) > 4)
        turn(engine, "max_num_seqs", 1)
        wait_until(lambda: engine.metric(running) == 1)
        seen = {engine.metric(running) for _ in range(20) if time.sleep(0.05) is None}
        assert seen <= {0.0, 1.0}
        # On a busy machine the clients themselves may pause: they queue again when they get on.
        wait_until(lambda: engine.metric("vllm:num_requests_waiting") > 0)
        turn(engine, "max_num_seqs", 32)
        wait_until(lambda: engine.metric(running) > 4)
    assert load.failed == []


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("max_num_batched_tokens", 32, 1800 // 31),  # one token of each step is the other request's
        ("long_prefill_token_threshold", 32, 1800 // 32),
    ],
)
def test_a_long_prompt_is_cut_into_steps(
    engine: LiveEngine, under_load: Callable[..., Any], name: str, value: int, least: int
) -> None:
    with under_load(clients=1, tokens=400) as load:
        whole = min(steps_of_a_long_prompt(engine) for _ in range(3))
        turn(engine, name, value)
        cut = max(steps_of_a_long_prompt(engine) for _ in range(3))
        assert whole < least - 5, "else the next line proves nothing"
        assert cut >= least - 5
    assert load.failed == []


def test_a_lease_ends_while_nobody_watches(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    with under_load(clients=2):
        turn(engine, "max_num_seqs", 2, lease_s=3)
        assert knob(engine, "max_num_seqs").value == 2
        time.sleep(4)  # whoever asks wakes the engine's side up
        assert knob(engine, "max_num_seqs").value == 32
    ended = read_journal(engine.sockets, {})[-1]
    assert (ended.cause, ended.to_value) == ("lease", 32)


def test_bounds_hold_inside_too(engine: LiveEngine) -> None:
    for value in (0, -1, 33, 10**15, True):
        change = set_knob(engine.sockets, "max_num_seqs", value, who="tests")
        assert change.outcome == "refused", change
    assert knob(engine, "max_num_seqs").value == 32


def connected(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.connect(str(path))
    channel.settimeout(5)
    return channel


def send(path: Path, data: bytes) -> None:
    with connected(path) as channel:
        try:
            channel.sendall(data)
            channel.recv(4096)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass


def die_in_the_middle_of_a_line(path: Path) -> None:
    code = (
        "import socket, sys, time\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        's.sendall(b\'{"v":1,"op":"set","knob":"max_num_seqs","value":1\'); print(flush=True)\n'
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def test_hostile_clients_do_not_reach_the_engine(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    (path,) = engine.sockets
    processes = alive(engine)
    with under_load(clients=4) as load:
        for data in (b"garbage\n", b"\x00\xff" * 3000 + b"\n", b"[" * 8000 + b"\n", b"\n" * 5000):
            send(path, data)
        send(path, b"x" * (4 << 20))
        send(path, b'{"v":99,"op":"set","knob":"max_num_seqs","value":1,"id":"x","who":"me"}\n')
        die_in_the_middle_of_a_line(path)
        crowd = [connected(path) for _ in range(200)]
        done = load.done
        wait_until(lambda: load.done > done + 8)
        for channel in crowd:
            channel.close()
        turn(engine, "max_num_seqs", 16)
    assert load.failed == []
    assert alive(engine) == processes
