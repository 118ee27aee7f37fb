"""An adoption beside every fault, on a real engine that was started by hand."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.supervisor_client import client
from tests.crossings.live.faults import FAULTS, Fault
from tests.crossings.live.host import OVER_S, Host, a_host, engines_now
from tests.crossings.live.invariants import check
from tests.crossings.world import pause
from tests.engine.by_hand import vllm_by_hand
from tests.engine.clients import traffic
from tests.engine.conftest import MODEL
from tests.supervisors import state_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.wide]

LONGEST_S = 25.0
"""From the beginning of an adoption to its end: the fault comes somewhere within."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    before = engines_now()
    with a_host(tmp_path, f"cross-{os.getpid()}") as made, vllm_by_hand(tmp_path) as engine:
        made.url, made.old_pid = engine.url, engine.pid
        try:
            yield made
        finally:
            if client.status(made.name) is not None:
                client.stop(made.name, drain_s=1)
            for pid in engines_now() - before - {engine.pid, made.bystander.pid}:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "fault", [pytest.param(one, id=f"adopt beside {one.name}") for one in FAULTS]
)
def test_a_fault_in_the_midst_of_an_adoption(host: Host, fault: Fault) -> None:
    moment_s = random.uniform(0, LONGEST_S)
    print(f"{moment_s:.1f} s after its beginning")
    others = engines_now() - {host.old_pid}
    host.record()
    with traffic(host.url, MODEL, clients=3, keep=False) as seen:
        adopting = host.act("adopt", host.url, "--name", host.name, "--yes")
        wait_until(lambda: state_of(host.name) is not None or adopting.poll() is not None, 120)
        pause(moment_s)
        fault.strike(host)
        told, said = adopting.communicate(timeout=OVER_S)
        print(told, said)
        fault.heal(host)
        if not fault.cuts:
            wait_until(lambda: state_of(host.name) in ("serving", None), OVER_S)
        if state_of(host.name) is None:  # it was given back, and is adopted at the next try
            host.do("adopt", host.url, "--name", host.name, "--yes")
        wait_until(host.is_settled, OVER_S)
        check(host, fault, seen, others)
