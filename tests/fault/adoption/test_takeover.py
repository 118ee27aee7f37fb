"""Adopting a program in the place of vLLM under load: nobody is refused, whoever is killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.adoption.begin import begin
from engines.adoption.plan import AdoptionPlan
from engines.host import lifetime
from engines.serving import name_lock
from engines.supervisor.takeover import restart
from engines.supervisor.takeover.connections import look_at
from engines.supervisor.takeover.sockets import (
    copy_of,
    open_beside,
    socket_places,
    take,
    why_not_beside,
)
from engines.supervisor_client import client
from store.errors import NotAchieved
from tests.fault.adoption.by_hand import ODD, ByHand, ask
from tests.names import own
from tests.supervisors import answering, state_of
from tests.waiting import PATIENCE_S, wait_until

NOT_ANSWERED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


@dataclass
class Traffic:
    """What clients got: the PIDs that answered, and what went wrong. `crossed` are requests on a
    kept connection that were sent at the very moment when it was ended, which HTTP/1.1 cannot rule
    out for any server that ends idle connections (RFC 9112, 9.5)."""

    pids: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)


def requests_running(url: str) -> int:
    with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE_S) as page:
        found = re.search(rb"^vllm:num_requests_running\{.*\} (\d+)", page.read(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@contextmanager
def traffic(url: str, keeps: int = 4, renews: int = 4) -> Iterator[Traffic]:
    """Clients that ask without pause but for a moment; some keep their connection, some never."""
    seen, stop = Traffic(), threading.Event()

    def run(keep: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=None if keep else 0)
        with httpx.Client(timeout=PATIENCE_S, limits=limits, trust_env=False) as session:
            while not stop.wait(0.15):
                try:
                    seen.pids.append(session.get(url).raise_for_status().json()["pid"])
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    crossed = keep and isinstance(error, NOT_ANSWERED)
                    (seen.crossed if crossed else seen.failed).append(repr(error))

    threads = [threading.Thread(target=run, args=(n < keeps,)) for n in range(keeps + renews)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(seen.pids) > len(threads))
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def adopt(plan: AdoptionPlan, **limits: float) -> dict[str, Any]:
    return begin(
        plan,
        drain_s=limits.get("drain_s", PATIENCE_S),
        start_s=limits.get("start_s", PATIENCE_S),
        on_step=lambda *_: None,
    )


def test_no_client_notices_but_by_waiting(by_hand: Callable[..., ByHand]) -> None:
    stub = by_hand(load_s=1)
    plan = stub.plan(own("ad-a"))
    assert not plan.why_refused
    with traffic(stub.url) as seen:
        result = adopt(plan)
        count = len(seen.pids)
        wait_until(lambda: len(seen.pids) > count + 16)
    assert seen.failed == [] and len(seen.crossed) <= 1, seen
    assert result.outcome == "done", result
    assert result.cut == 0
    assert result.waited_s >= 1
    assert set(seen.pids) == {stub.pid, result.pid}
    told = ask(stub.url)
    assert told["cwd"] == str(stub.home)
    assert bytes.fromhex(told["odd"]) == ODD
    environ = Path(f"/proc/{result.pid}/environ").read_bytes().split(b"\0")
    assert any(entry.startswith(b"PYTHONPATH=") and b"inside" in entry for entry in environ)
    # Another one that asks for the address, as a restart loop would, gets no connection.
    taken = take(plan.held)
    assert taken.way == "after"
    taken.listener.close()


def test_it_goes_on_when_whoever_asked_is_killed(by_hand: Callable[..., ByHand]) -> None:
    stub = by_hand(load_s=1)
    program = f"""
from pathlib import Path

from engines.adoption.begin import begin
from tests.fault.adoption.by_hand import ByHand

plan = ByHand({stub.pid}, {stub.url!r}, Path({str(stub.home)!r})).plan({own("ad-b")!r})
begin(plan, drain_s=60, start_s=60, on_step=lambda *_: print("step", flush=True))
"""
    with traffic(stub.url) as seen:
        asking = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"step\n"
        asking.kill()
        asking.communicate()
        wait_until(lambda: state_of(own("ad-b")) == "serving")
        count = len(seen.pids)
        wait_until(lambda: len(seen.pids) > count + 16)
    assert seen.failed == [] and len(seen.crossed) <= 1, seen
    assert seen.pids[-1] != stub.pid


def test_a_supervisor_killed_in_the_midst_is_followed_by_one_that_goes_on(
    by_hand: Callable[..., ByHand],
) -> None:
    stub = by_hand(load_s=2)
    killed: list[int] = []

    def kill_once(step: str, _: str) -> None:
        if step == "start" and not killed:
            killed.append(answering(own("ad-c")).supervisor)
            os.kill(killed[0], signal.SIGKILL)

    with traffic(stub.url) as seen:
        result = begin(stub.plan(own("ad-c")), drain_s=60, start_s=60, on_step=kill_once)
        count = len(seen.pids)
        wait_until(lambda: len(seen.pids) > count + 16)
    assert killed
    assert result.outcome == "done", result
    assert seen.failed == [] and len(seen.crossed) <= 1, seen


def test_the_old_command_runs_again_where_the_new_one_does_not_start(
    by_hand: Callable[..., ByHand],
) -> None:
    stub = by_hand(broken=True)
    result = adopt(stub.plan(own("ad-d")))
    assert result.outcome == "given back"
    assert "the plugin broke it" in result.reason
    told = ask(stub.url)
    assert told["pid"] == result.pid != stub.pid
    assert told["cwd"] == str(stub.home)
    assert bytes.fromhex(told["odd"]) == ODD
    environ = Path(f"/proc/{told['pid']}/environ").read_bytes()
    assert b"trimtab_inside" not in environ and b"TRIMTAB_LISTEN_FD" not in environ
    wait_until(lambda: client.status(own("ad-d")) is None)


def test_requests_that_do_not_end_in_time_are_counted_as_cut(
    by_hand: Callable[..., ByHand],
) -> None:
    stub = by_hand()
    asked: list[str] = []

    def ask_once() -> None:
        try:
            asked.append(str(ask(f"{stub.url}/silent")["pid"]))
        except (OSError, HTTPException) as error:
            asked.append(type(error).__name__)

    client_thread = threading.Thread(target=ask_once)
    client_thread.start()
    wait_until(lambda: requests_running(stub.url) == 1)
    plan = stub.plan(own("ad-e"))
    result = adopt(plan, drain_s=0.2)
    client_thread.join()
    assert result.outcome == "done"
    assert result.cut == 1
    assert asked == ["RemoteDisconnected"]
    assert not lifetime.is_alive(stub.pid, plan.origin.start_ticks)


def test_an_engine_whose_socket_cannot_be_had_is_followed_on_its_address(
    by_hand: Callable[..., ByHand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = by_hand()
    plan = stub.plan(own("ad-f"))
    held = plan.held
    nobody = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        # A process that does not hold it, as one that may not be looked into.
        closed = type(held)((nobody.pid,), held.inode, held.host, held.port)
        assert why_not_beside(closed) == "the socket is gone"
        taken = take(closed)
        assert taken.way == "after"
        order = restart.AdoptionOrder(
            stub.pid,
            lifetime.start_ticks(stub.pid) or 0,
            plan.origin.environ,
            plan.origin.conditions,
            closed,
            drain_s=2,
            start_s=20,
        )
        adoption = restart.Adoption(order, taken, plan.launch)
        steps: list[str] = []
        started = adoption.run(
            plan.launch,
            lambda step, text: steps.append(f"{step}: {text}"),
            lambda *_: None,
            lambda: False,
        )
        assert started is not None
        assert ask(stub.url)["pid"] == started.pid
        assert adoption.report.way == "after"
        assert any("still takes connections" in step for step in steps)
        lifetime.send(started.pid, started.start_ticks, signal.SIGKILL)
    finally:
        nobody.communicate(b"\n")
        taken.listener.close()


def test_a_socket_of_another_process_is_the_very_socket(by_hand: Callable[..., ByHand]) -> None:
    stub = by_hand()
    held = stub.plan(own("ad-g")).held
    with copy_of(held.inode, socket_places(held.pids)) as copy:
        assert os.fstat(copy.fileno()).st_ino == held.inode
        assert copy.getsockname() == (held.host, held.port)
        assert not os.get_inheritable(copy.fileno())
    taken = take(held)
    open_beside(taken.listener)
    with httpx.Client(trust_env=False) as session, pytest.raises(httpx.ReadTimeout):
        session.get(stub.url, timeout=0.5)  # connected, and waiting in our queue
    taken.listener.close()
    assert ask(stub.url)["pid"] == stub.pid


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_a_first_request_that_nothing_was_answered_to_is_owed(pause_s: float) -> None:
    """Sent at once, it is as old as the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            with socket.create_connection(listener.getsockname()) as client:
                served, _ = listener.accept()
                with served:
                    assert not look_at(served).owed(0)  # nothing was asked yet
                    time.sleep(pause_s)
                    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    wait_until(lambda served=served: look_at(served).unread)
                    assert look_at(served).owed(0)
                    served.recv(100)
                    assert look_at(served).owed(0)
                    assert not look_at(served).quiet
                    served.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    assert not look_at(served).unanswered


def test_an_engine_that_is_being_adopted_is_not_adopted_under_another_name(
    by_hand: Callable[..., ByHand], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lock, "LINGERS_S", 0.2)
    stub = by_hand()
    plan = stub.plan(own("ad-twice"))
    with (
        name_lock.adoption_lock(plan.origin.pid, plan.origin.start_ticks),
        pytest.raises(NotAchieved, match="is being adopted already"),
    ):
        begin(plan, drain_s=60, start_s=60, on_step=lambda *_: None)
    assert lifetime.start_ticks(stub.pid) == plan.origin.start_ticks
