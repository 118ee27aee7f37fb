"""Supervisors that are killed in the midst of something, and what the next one makes of it."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.launch.launch import Launch
from engines.serving import registry, stopping
from engines.serving.started import Started
from engines.supervisor.common import telling
from engines.supervisor.common.memory import InStop, InSwap, Memory
from engines.supervisor.common.telling import begun, tell_abandoned, tell_interrupted, tell_swap
from engines.supervisor.states.context import Context
from engines.supervisor.states.recovering import recover
from engines.supervisor.states.state import NotStopped, Recovering, Starting, Stopping
from engines.supervisor.states.stopping import give_up, stop
from engines.supervisor_client import client
from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant
from store.ledger.connection import Ledger
from store.reports.outcomes import DONE, RUNNING
from store.reports.step_line import StepLine
from store.reports.swap import ROLLED_BACK, SwapReport
from store.tables import swaps
from tests.names import own
from tests.supervisors import answering, state_of
from tests.unit.supervisor.stub_engine import (
    answer,
    begin,
    follows,
    ledger_of,
    prepare_nothing,
    said,
)
from tests.waiting import PATIENCE_S, wait_until

KILLED = "its supervisor was killed in the midst"


@pytest.fixture
def launch(stub: Path) -> Launch:
    db = ledger_of(stub)
    Ledger.open(db).close()
    return replace(prepare_nothing(stub), name="second", db=str(db))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def candidate(launch: Launch, tmp_path: Path) -> Iterator[Started]:
    """A process in the place of the new engine, which has not taken over."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    ticks = lifetime.start_ticks(process.pid)
    assert ticks is not None
    log = tmp_path / "candidate.log"
    log.write_text("")
    name = f"{launch.name}@next"
    registry.save(
        registry.Serving(
            name, process.pid, ticks, launch.url, "m", str(log), boot=lifetime.boot_id()
        )
    )
    yield Started(name, process.pid, ticks, launch.url, log)
    process.kill()
    process.wait()


def order_of(launch: Launch, swap_id: str = "swap-1") -> Order:
    return Order(swap_id, Variant("other", "m"), strategy="stop-start", db=Path(launch.db or ""))


def rows(launch: Launch) -> list[SwapReport]:
    with Ledger.open(Path(launch.db or "")) as ledger:
        return swaps.recent(ledger, 1, 5)


def test_the_new_engine_is_gone_before_the_old_one_starts_again(
    launch: Launch, listener: socket.socket, candidate: Started
) -> None:
    """It holds the memory that the old one needs."""
    context = Context(Memory(launch, (), InSwap(order_of(launch))), listener, lambda _: None)
    assert isinstance(recover(context, Recovering()), Starting)
    assert not lifetime.is_alive(candidate.pid, candidate.start_ticks)


def test_a_stop_that_is_finished_ends_the_new_engine_of_a_swap_as_well(
    launch: Launch, listener: socket.socket, candidate: Started
) -> None:
    memory = Memory(launch, (), InStop(0.0, InSwap(order_of(launch))))
    recover(Context(memory, listener, lambda _: None), Recovering())
    assert not lifetime.is_alive(candidate.pid, candidate.start_ticks)


def test_an_engine_that_served_under_the_supervisor_before_is_started_again(stub: Path) -> None:
    name = own("sup-second")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    assert answer(started) == started.pid
    first = answering(name).supervisor
    os.kill(started.pid, signal.SIGSTOP)  # it hangs, so the next supervisor never sees it serve
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: follows(name, first))
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: "serves at" in said(name).rpartition("ended:")[2])
    assert answer(started) != started.pid
    assert "GIVEN UP" not in said(name)


def test_giving_up_closes_the_row_of_the_swap(launch: Launch, listener: socket.socket) -> None:
    order = order_of(launch)
    tell_swap(order.db, launch, begun(order, "other"), "start: process 1")
    context = Context(Memory(launch, (), InSwap(order)), listener, lambda _: None)
    give_up(context, "it ended 5 times in a row")
    assert [(swap.outcome, swap.reason) for swap in rows(launch)] == [(ROLLED_BACK, KILLED)]


def test_the_steps_before_stay_also_where_the_ledger_was_locked(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(launch)
    steps = (StepLine(0.1, "plan", "to other"), StepLine(2.0, "start", "process 9"))
    tell_swap(order.db, launch, replace(begun(order, "other"), steps=steps), "start: process 9")
    other = sqlite3.connect(launch.db or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tell_interrupted(order, launch, ROLLED_BACK, KILLED)
    assert [swap.outcome for swap in rows(launch)] == [RUNNING]
    other.execute("ROLLBACK")
    wait_until(lambda: [swap.outcome for swap in rows(launch)] == [ROLLED_BACK])
    assert [line.step for line in rows(launch)[0].steps] == ["plan", "start", ROLLED_BACK]


def test_the_end_of_a_supervisor_waits_for_what_is_not_written_yet(launch: Launch) -> None:
    order = order_of(launch)
    other = sqlite3.connect(launch.db or "", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    tell_swap(order.db, launch, begun(order, "other"), "plan")
    other.execute("ROLLBACK")
    telling.finish(30)
    assert [swap.id for swap in rows(launch)] == [order.id]


def test_rows_that_nobody_carries_on_are_closed(launch: Launch) -> None:
    for swap_id in ("lost", "in force", "mine"):
        order = order_of(launch, swap_id)
        tell_swap(order.db, launch, begun(order, "other"), "plan")
    tell_abandoned(Path(launch.db or ""), replace(launch, swap_id="in force"), "mine")
    told = {swap.id: (swap.outcome, swap.reason) for swap in rows(launch)}
    assert told == {
        "lost": (ROLLED_BACK, "whoever knew how it ended was killed"),
        "in force": (DONE, ""),
        "mine": (RUNNING, ""),
    }


def test_a_candidate_that_nobody_had_written_down_is_ended_beside_the_old_one(
    launch: Launch, listener: socket.socket
) -> None:
    """The supervisor of an overlap was killed between the start of it and the record."""
    old = subprocess.Popen(["sleep", "60"], start_new_session=True)
    new = subprocess.Popen(
        ["sleep", "60"],
        pass_fds=(listener.fileno(),),
        start_new_session=True,
        env={"TRIMTAB_LISTEN_FD": str(listener.fileno())},
    )
    try:
        ticks = lifetime.start_ticks(old.pid) or 0
        registry.save(registry.Serving(launch.name, old.pid, ticks, launch.url, "m", "log"))
        recover(Context(Memory(launch), listener, lambda _: None), Recovering())
        assert new.wait(PATIENCE_S) == -signal.SIGTERM
        assert old.poll() is None
    finally:
        for process in (old, new):
            process.kill()
            process.wait()


def test_one_that_the_kernel_holds_is_not_told_as_stopped(
    launch: Launch, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object, **__: object) -> None:
        raise stopping.WillNotGo(launch.name, [7], Path("log"))

    monkeypatch.setattr(stopping, "stop", held)
    context = Context(Memory(launch), listener, lambda _: None)
    state = stop(context, Stopping(0.0))
    assert isinstance(state, NotStopped)
    assert context.stopped is not None
    with pytest.raises(stopping.WillNotGo, match="PID 7"):
        client.as_stopped(context.stopped, launch.name, 7)


def test_who_stops_hears_of_it_whoever_else_asks(stub: Path) -> None:
    name = own("asked")
    begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    others = threading.Event()

    def ask_often() -> None:
        while not others.is_set():
            client.status(name)

    threads = [threading.Thread(target=ask_often) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert client.stop(name, drain_s=0).name == name
    finally:
        others.set()
        for thread in threads:
            thread.join()


def test_serve_in_the_foreground_outlives_its_supervisor(stub: Path) -> None:
    name = own("front")
    words = ["serve", str(stub.parents[2] / "model"), "--name", name, "--python", str(stub)]
    serve = subprocess.Popen(
        [sys.executable, "-m", "app", *words, "--db", str(ledger_of(stub))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: state_of(name) == "serving")
        killed = answering(name).supervisor
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: follows(name, killed) and state_of(name) == "serving")
        assert serve.poll() is None
        client.stop(name, drain_s=0)
        assert serve.wait(PATIENCE_S) == 1  # not by whoever holds this terminal
    finally:
        serve.kill()
        serve.wait()
