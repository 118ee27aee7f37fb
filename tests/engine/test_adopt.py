"""A real vLLM started by hand is put under a supervisor, and again when that is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.adoption.begin import begin
from engines.adoption.plan import plan_adoption
from engines.control.knobs import read_knobs, set_knob
from engines.discovery.find import probe
from engines.host import procfs
from engines.provision.places import supervisor_log
from engines.supervisor_client import client
from engines.supervisor_client.orphaned import list_orphaned
from store.errors import NotAchieved
from tests.engine.by_hand import vllm_by_hand
from tests.engine.conftest import LiveEngine, Load
from tests.supervisors import answering, state_of
from tests.waiting import wait_until

pytestmark = pytest.mark.engine

THINK_S = 0.2


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[LiveEngine]:
    with vllm_by_hand(tmp_path) as engine:
        yield engine


def ask_until(stop: threading.Event, engine: LiveEngine, load: Load) -> None:
    while not stop.wait(THINK_S):
        try:
            engine.complete("The harbour", 16)  # a new connection each time
            load.done += 1
        except Exception as error:
            load.failed.append(repr(error))


def test_an_engine_started_by_hand_is_adopted_and_adopted_again(
    by_hand: LiveEngine, tmp_path: Path
) -> None:
    name, load, stop = f"adopted-{os.getpid()}", Load(), threading.Event()
    before = probe(by_hand.url)
    assert (before.control, before.pid) == ("observe", by_hand.pid)
    clients = [threading.Thread(target=ask_until, args=(stop, by_hand, load)) for _ in range(3)]
    for thread in clients:
        thread.start()
    try:
        wait_until(lambda: load.done > 6)
        plan = plan_adoption(before, name, tmp_path / "ledger.db")
        result = begin(plan, drain_s=60, start_s=300, on_step=print)
        assert result.outcome == "done", result
        assert result.cut == 0
        after = probe(by_hand.url)
        assert (after.control, after.pid) == ("live", result.pid)
        assert after.pid != by_hand.pid
        set_knob(after.sockets, "max_num_seqs", 4, who="tests")
        with pytest.raises(NotAchieved, match="under trimtab's supervisor already"):
            plan_adoption(after, None, None)

        kill_keeper_and_supervisor(name)
        assert [one.name for one in list_orphaned()] == [name]
        done = load.done
        again = plan_adoption(probe(by_hand.url), None, tmp_path / "ledger.db")
        assert not again.restarts
        assert begin(again, drain_s=60, start_s=300, on_step=print).pid == after.pid
        wait_until(lambda: state_of(name) == "serving")
        wait_until(lambda: load.done > done + 6)
        values = {knob.name: knob.value for knob in read_knobs(probe(by_hand.url).sockets)}
        assert values["max_num_seqs"] == 4  # the same life
        launch = again.launch
        assert launch.arguments == plan.launch.arguments
        assert launch.directory == str(tmp_path)
        assert launch.environ["VLLM_CPU_OMP_THREADS_BIND"] == "0"
    finally:
        stop.set()
        for thread in clients:
            thread.join()
        if client.status(name) is not None:
            client.stop(name, drain_s=5)
    assert load.failed == []
    assert "found process" in supervisor_log(name).read_text()


def kill_keeper_and_supervisor(name: str) -> None:
    supervisor = procfs.read_process(answering(name).supervisor)
    assert supervisor is not None
    for pid in (supervisor.ppid, supervisor.pid):  # the keeper first: it would start another
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: client.status(name) is None)
