"""An engine whose keeper and supervisor were both killed in the midst of a swap, and who has it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

from engines.adoption.begin import begin as adopt
from engines.adoption.plan import plan_adoption
from engines.discovery.find import find_engines
from engines.engine_info import EngineInfo
from engines.host import lifetime
from engines.serving import registry
from engines.serving.started import Started
from engines.supervisor.common.memory import Memory
from engines.supervisor.common.telling import begun, tell_swap
from engines.supervisor.states.context import Context
from engines.supervisor.states.recovering import recover
from engines.supervisor.states.state import Recovering, Starting
from engines.supervisor_client import client
from engines.supervisor_client.orphaned import list_orphaned
from engines.supervisor_client.swap_order import Order
from store.ledger.connection import Ledger
from store.reports.outcomes import DONE
from store.tables import swaps
from tests.names import own
from tests.supervisors import answering, state_of
from tests.unit.supervisor.stub_engine import answer, begin, keeper_of, ledger_of, prepare_nothing
from tests.waiting import PATIENCE_S, wait_until


def kill_keeper_and_supervisor(name: str) -> None:
    keeper, supervisor = keeper_of(name), answering(name).supervisor
    for pid in (keeper, supervisor):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: client.status(name) is None)
    wait_until(lambda: lifetime.start_ticks(keeper) is None)


def found(started: Started) -> EngineInfo:
    return next(engine for engine in find_engines() if engine.pid == started.pid)


def test_the_new_engine_that_is_left_alone_is_found_and_adopted(stub: Path) -> None:
    name = own("left-a")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    kill_keeper_and_supervisor(name)
    registry.rename(name, f"{name}@next")
    assert [serving.pid for serving in list_orphaned()] == [started.pid]
    assert found(started).name == name
    plan = plan_adoption(found(started), None, ledger_of(stub))
    assert (plan.restarts, plan.launch.name) == (False, name)
    assert adopt(plan, drain_s=5, start_s=30, on_step=print).pid == started.pid
    wait_until(lambda: state_of(name) == "serving")
    assert answer(started) == started.pid
    client.stop(name, drain_s=2)
    assert registry.list_serving() == []


def test_a_swap_that_took_over_is_told_as_done(stub: Path) -> None:
    name = own("left-b")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    serving = registry.find_serving(name)
    assert serving is not None
    order = Order("swap-b", None, db=ledger_of(stub))
    launch = replace(prepare_nothing(stub), name=name, url=started.url)
    tell_swap(order.db, launch, begun(order, "other"), "take over")
    kill_keeper_and_supervisor(name)
    # As the swap had started it:
    registry.save(replace(serving, swap_id=order.id, variant="int4"))
    registry.rename(name, f"{name}@next")
    plan = plan_adoption(found(started), None, ledger_of(stub))
    adopt(plan, drain_s=5, start_s=30, on_step=print)
    wait_until(lambda: outcome(ledger_of(stub), order.id) == DONE)
    wait_until(lambda: answering(name).variant == "int4")
    client.stop(name, drain_s=2)


def outcome(db: Path, swap_id: str) -> str:
    with Ledger.open(db, readonly=True) as ledger:
        swap = swaps.get(ledger, swap_id)
    return "" if swap is None else swap.outcome


def test_an_engine_that_nobody_had_written_down_yet_is_ended(stub: Path) -> None:
    """Its supervisor was killed between the start of it and the record."""
    launch = prepare_nothing(stub)
    with socket.socket() as listener:
        unknown = subprocess.Popen(
            ["sleep", "60"],
            pass_fds=(listener.fileno(),),
            start_new_session=True,
            env={"TRIMTAB_LISTEN_FD": str(listener.fileno())},
        )
        other = subprocess.Popen(
            ["sleep", "60"], pass_fds=(listener.fileno(),), start_new_session=True
        )
        try:
            state = recover(Context(Memory(launch), listener, lambda _: None), Recovering())
            assert isinstance(state, Starting)
            assert unknown.wait(PATIENCE_S) == -signal.SIGTERM
            assert other.poll() is None
        finally:
            for process in (unknown, other):
                process.kill()
                process.wait()
