"""What a supervisor survives: kills, silence, texts that are none, disks that hang, names taken."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.serving import name_lock, registry
from engines.serving.started import Started
from engines.supervisor.common import teller
from engines.supervisor.common.memory import InStop, InSwap, Memory, Settled, from_line, to_line
from engines.supervisor.states import unfinished
from engines.supervisor.states.context import Context
from engines.supervisor.states.recovering import recover
from engines.supervisor.states.state import Recovering, Stopping
from engines.supervisor.states.stopping import stop
from engines.supervisor_client import client
from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant
from store.errors import BadInput, NotAchieved
from store.reports.swap import ROLLED_BACK
from tests.names import own
from tests.supervisors import answering, state_of
from tests.unit.supervisor.stub_engine import (
    answer,
    begin,
    keeper_of,
    ledger_of,
    prepare_nothing,
    said,
)
from tests.waiting import PATIENCE_S, wait_until


def test_of_several_that_start_under_one_name_one_gets_it(stub: Path) -> None:
    name = own("sup-j")
    outcomes: list[Started | NotAchieved] = []

    def attempt() -> None:
        try:
            outcomes.append(begin(stub, name))
        except (NotAchieved, BadInput) as error:
            outcomes.append(NotAchieved(str(error)))

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    started = [outcome for outcome in outcomes if isinstance(outcome, Started)]
    assert (len(outcomes), len(started)) == (3, 1)
    wait_until(lambda: state_of(name) == "serving")
    assert answer(started[0]) == started[0].pid
    client.stop(name, drain_s=0)
    again = begin(stub, name)  # at once, though the supervisor before it lingers
    wait_until(lambda: state_of(name) == "serving")
    assert answer(again) == again.pid


def test_a_name_means_one_engine_in_each_data_directory(
    stub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own("sup-z")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "elsewhere"))
        with pytest.raises(BadInput, match="No engine is called"):
            client.stop(name, drain_s=0)
        assert not client.is_supervised(name)
        other = begin(stub, name)
        wait_until(lambda: state_of(name) == "serving")
        client.stop(name, drain_s=0)
        assert lifetime.start_ticks(other.pid) is None
    assert answering(name).pid == started.pid
    assert answer(started) == started.pid


def test_the_name_is_held_as_long_as_one_of_both_lives(
    stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own("sup-k")
    begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    os.kill(keeper_of(name), signal.SIGKILL)
    monkeypatch.setattr(name_lock, "LINGERS_S", 0.2)
    supervised = pytest.raises(NotAchieved, match="is supervised already")
    with supervised, name_lock.name_lock(name):
        pass


def test_a_keeper_that_pauses_passes_a_stop_on_to_the_next_supervisor(stub: Path) -> None:
    name = own("sup-l")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    first = answering(name)
    keeper = keeper_of(name)
    os.kill(first.supervisor, signal.SIGKILL)
    wait_until(lambda: lifetime.start_ticks(first.supervisor) is None)
    wait_until(lambda: "another one in" in said(name))
    os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: lifetime.start_ticks(keeper) is None)
    assert lifetime.start_ticks(started.pid) is None
    assert "Traceback" not in said(name)


def test_a_stop_in_which_a_supervisor_was_killed_is_finished(stub: Path) -> None:
    launch = prepare_nothing(stub)
    kept: list[Memory] = []
    with socket.socket() as listener:
        context = Context(Memory(launch), listener, kept.append)
        stop(context, Stopping(7.0))
        assert kept[0].under_way == InStop(7.0)
        again = Context(from_line(to_line(kept[0])), listener, kept.append)
        assert recover(again, Recovering()) == Stopping(7.0)


def test_an_engine_whose_log_is_silent_is_asked_for_its_health(stub: Path) -> None:
    started = begin(stub, own("sup-m"), silent=True)
    wait_until(lambda: state_of(own("sup-m")) == "serving")
    assert answer(started) == started.pid
    assert started.log_path.read_text() == ""


def test_a_byte_that_is_no_text_ends_no_supervision(stub: Path) -> None:
    """It cannot be written into the ledger: the line is left out, in the log, and that is all."""
    name = own("sup-n")
    begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    before = answering(name).supervisor
    variant = Variant("caf\udce9", str(stub.parents[2] / "missing"))
    client.begin_swap(name, Order("id", variant, db=ledger_of(stub)))
    wait_until(lambda: (swap := answering(name).swap) is not None and swap.outcome == ROLLED_BACK)
    assert answering(name).supervisor == before
    assert "UnicodeEncodeError" in said(name)


def test_an_order_that_broke_its_supervisor_is_not_replayed(
    stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(unfinished, "tell_interrupted", break_down)
    kept: list[Memory] = []
    with socket.socket() as listener:
        memory = Memory(prepare_nothing(stub), (), InSwap(Order("id", None)))
        with pytest.raises(ZeroDivisionError):
            unfinished.tell_unfinished(Context(memory, listener, kept.append))
    assert kept[-1].under_way == Settled()


def test_a_disk_that_hangs_holds_nobody_but_the_teller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teller, "PATIENCE_S", 0.05)
    hanging, done = threading.Event(), threading.Event()
    told = teller.Teller()
    told.tell(lambda: hanging.wait(PATIENCE_S) and None)
    began = time.monotonic()
    for _ in range(2 * teller._MOST):
        told.tell(lambda: None)
    assert time.monotonic() - began < PATIENCE_S / 2  # not a patience for each
    hanging.set()
    wait_until(told._works.empty)
    told.tell(done.set)
    wait_until(done.is_set)


def test_an_engine_whose_file_is_gone_is_stopped_all_the_same(stub: Path) -> None:
    name = own("sup-o")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    registry.forget(name)
    assert client.stop(name, drain_s=0).pid == started.pid
    assert lifetime.start_ticks(started.pid) is None


def test_a_supervisor_that_is_silent_is_not_absent(
    stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lock, "LINGERS_S", 0.2)
    name = own("sup-p")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    supervisor = answering(name).supervisor
    os.kill(supervisor, signal.SIGSTOP)
    try:
        with pytest.raises(NotAchieved, match="does not answer"):
            client.stop(name, drain_s=0)
        assert answer(started) == started.pid
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert client.stop(name, drain_s=0).pid == started.pid
