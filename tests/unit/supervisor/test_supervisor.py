"""Keeper and supervisor, with a small program in the place of vLLM that takes the address."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from engines.control.wire import ControlLost, ControlRefused
from engines.host import lifetime
from engines.serving import registry
from engines.supervisor.__main__ import write_memory
from engines.supervisor.common.backoff import PAUSES_S, STABLE_S, Backoff
from engines.supervisor.common.memory import InSwap, Memory
from engines.supervisor.states.context import Context
from engines.supervisor.states.recovering import recover
from engines.supervisor.states.state import Recovering
from engines.supervisor_client import client
from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant
from store.errors import BadInput, NotAchieved
from store.ledger.connection import Ledger
from store.tables import events, starts
from store.tables.engines import find_engine
from tests.names import own
from tests.supervisors import answering, state_of
from tests.unit.supervisor.stub_engine import (
    answer,
    begin,
    follows,
    keeper_of,
    ledger_of,
    prepare_nothing,
    said,
)
from tests.waiting import wait_until


def test_it_serves_on_the_keepers_address_and_stops(stub: Path, port: int) -> None:
    started = begin(stub, own("sup-a"), "--port", str(port))
    wait_until(lambda: state_of(own("sup-a")) == "serving")
    assert answer(started) == started.pid
    path = client.socket_of(own("sup-a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "sk-very-secret" not in said(own("sup-a"))
    with pytest.raises(BadInput, match="already runs"):
        begin(stub, own("sup-a"))
    stopped = client.stop(own("sup-a"), drain_s=2)
    assert stopped.pid == started.pid
    wait_until(lambda: client.status(own("sup-a")) is None)
    assert registry.list_serving() == []
    assert lifetime.start_ticks(started.pid) is None
    with pytest.raises(OSError, match="refused"):
        answer(started)


def test_a_crashed_engine_is_started_again_and_no_connection_is_refused(stub: Path) -> None:
    started = begin(stub, own("sup-b"))
    wait_until(lambda: state_of(own("sup-b")) == "serving")
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: not lifetime.is_alive(started.pid, started.start_ticks))
    # Asked while nothing serves: it waits in the queue.
    again = answer(started)
    assert again != started.pid
    assert f"process {started.pid} ended by signal 9" in said(own("sup-b"))
    assert "starts again in 1 s" in said(own("sup-b"))
    wait_until(lambda: state_of(own("sup-b")) == "serving")
    with Ledger.open(ledger_of(stub), readonly=True) as ledger:
        row = find_engine(ledger, started.url)
        assert row is not None
        told = [event.text for event in events.recent(ledger, row.id, 20)]
        (kept, first) = starts.alike(ledger, str(stub.parents[2] / "model"), "", beside=False)
    assert f"process {again} serves at {started.url}" in told
    assert "starts again in 1 s" in told
    assert "sk-very-secret" not in str(told)
    assert set(kept.phases) == set(first.phases) == {"serving"}
    assert kept.command == first.command


def test_what_cannot_be_swapped_now_is_refused(stub: Path) -> None:
    begin(stub, own("sup-f"))
    wait_until(lambda: state_of(own("sup-f")) == "serving")
    with pytest.raises(NotAchieved, match="no swap of this engine can be taken back"):
        client.begin_swap(own("sup-f"), Order("id", None))
    with pytest.raises(ControlRefused, match="no swap runs"):
        client.call_off(own("sup-f"))
    with pytest.raises(ControlLost):
        client.begin_swap(own("sup-nobody"), Order("id", None))


def test_a_plan_for_another_engine_than_the_one_that_runs_is_refused(stub: Path) -> None:
    begin(stub, "sup-i")
    wait_until(lambda: state_of("sup-i") == "serving")
    variant = Variant("other", str(stub.parents[2] / "model"))
    stale = Order("id", variant, planned_on="0123456789abcdef")
    with pytest.raises(NotAchieved, match="another engine than the plan was made for"):
        client.begin_swap("sup-i", stale)
    assert answering("sup-i").swap is None
    planned = replace(stale, id="id-2", planned_on=answering("sup-i").launch_id)
    client.begin_swap("sup-i", planned)
    wait_until(lambda: (swap := answering("sup-i").swap) is not None and swap.id == "id-2")


def test_a_killed_supervisor_is_followed_by_one_that_takes_the_engine_over(stub: Path) -> None:
    started = begin(stub, own("sup-c"))
    wait_until(lambda: state_of(own("sup-c")) == "serving")
    first = answering(own("sup-c"))
    os.kill(first.supervisor, signal.SIGKILL)
    wait_until(lambda: follows(own("sup-c"), first.supervisor))
    wait_until(lambda: state_of(own("sup-c")) == "serving")
    second = answering(own("sup-c"))
    assert second.supervisor != first.supervisor
    assert answer(started) == started.pid == second.pid
    assert "found process" in said(own("sup-c"))


def test_an_engine_that_never_serves_is_given_up_and_says_why(stub: Path) -> None:
    try:
        begin(stub, own("sup-d"), broken=True)
    except NotAchieved as error:  # it was given up before anybody could ask for it
        assert str(error.meaning) == "ValueError: the model is not there"
    wait_until(lambda: "GIVEN UP" in said(own("sup-d")))
    assert "ValueError: the model is not there" in said(own("sup-d"))
    wait_until(lambda: client.status(own("sup-d")) is None)
    assert list((stub.parents[2] / "data" / "serving").iterdir()) == []


@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_swap_that_had_taken_over_is_finished_by_the_next_supervisor(
    stub: Path, named: int
) -> None:
    """It was killed before it gave the new engine its name, in the midst of it, and after."""
    old, new = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    names = [("sup-h", "sup-h@next"), ("sup-h@old", "sup-h@next"), ("sup-h@old", "sup-h")][named]
    for process, name in zip((old, new), names, strict=True):
        ticks = lifetime.start_ticks(process.pid) or 0
        registry.save(registry.Serving(name, process.pid, ticks, "http://127.0.0.1:1", "m", "/log"))
    launch = replace(prepare_nothing(stub), name="sup-h")
    memory = Memory(launch, (), InSwap(Order("id", None), taken_over=True))
    with socket.socket() as listener:
        recover(Context(memory, listener, lambda _: None), Recovering())
    found = {one.name: one.pid for one in registry.list_serving()}
    assert found == {"sup-h": new.pid, "sup-h@old": old.pid}
    assert registry.without_address() == {old.pid}
    for process in (old, new):
        process.kill()
        process.wait()


def test_sigterm_to_the_keeper_stops_the_engine(stub: Path) -> None:
    started = begin(stub, own("sup-e"))
    wait_until(lambda: state_of(own("sup-e")) == "serving")
    keeper = keeper_of(own("sup-e"))
    os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: lifetime.start_ticks(keeper) is None)
    assert lifetime.start_ticks(started.pid) is None


def test_a_supervisor_whose_keeper_was_killed_goes_on(stub: Path) -> None:
    started = begin(stub, own("sup-g"))
    wait_until(lambda: state_of(own("sup-g")) == "serving")
    os.kill(keeper_of(own("sup-g")), signal.SIGKILL)
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: not lifetime.is_alive(started.pid, started.start_ticks))
    assert answer(started) != started.pid
    reader, writer = os.pipe()
    os.close(reader)
    write_memory(writer, Memory(prepare_nothing(stub)))  # nobody reads it, and nothing breaks
    os.close(writer)


def test_the_pauses_grow_and_end() -> None:
    backoff = Backoff()
    assert [backoff.crashed(0) for _ in range(len(PAUSES_S) + 1)] == [*PAUSES_S, None]
    assert backoff.crashed(STABLE_S) == PAUSES_S[0]
