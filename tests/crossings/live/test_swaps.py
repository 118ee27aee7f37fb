"""A swap, in both strategies, beside every fault, on a real engine."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.supervisor_client import client
from store.reports.outcomes import RUNNING
from tests.crossings.live.faults import Fault
from tests.crossings.live.host import OVER_S, Host, a_host, engines_now
from tests.crossings.live.invariants import check, check_swap_told
from tests.crossings.live.table import CELLS
from tests.crossings.world import pause
from tests.engine.clients import traffic
from tests.engine.conftest import MODEL, need_environment
from tests.supervisors import answering
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.wide]

STEPS = ("start", "start", "verify", "take over")
"""A swap's steps from the start of the new engine on, of which that takes longest."""
LONGEST_S = 8.0
"""Of one step: the fault comes somewhere within, how fast the host may be."""


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    need_environment()
    own = f"cross-{os.getpid()}"
    yield own
    if client.status(own) is not None:
        client.stop(own, drain_s=1)


@pytest.fixture
def host(name: str, tmp_path: Path) -> Iterator[Host]:
    with a_host(tmp_path, name) as made:
        made.serve()
        yield made


@pytest.mark.parametrize(
    ("strategy", "fault"),
    [pytest.param(strategy, fault, id=cell) for cell, (strategy, fault) in CELLS.items()],
)
def test_a_fault_in_the_midst_of_a_swap(host: Host, strategy: str, fault: Fault) -> None:
    step, moment_s = random.choice(STEPS), random.uniform(0, LONGEST_S)
    if step == "take over":
        moment_s /= 10  # it takes no longer than the requests that run
    print(f"{moment_s:.1f} s after step {step}")
    others = engines_now() - {answering(host.name).pid}
    host.record()
    with traffic(host.url, MODEL, clients=3) as seen:
        variant = host.other_variant()
        swap = host.act("swap", variant, "--engine", host.name, "--strategy", strategy)
        wait_until(lambda: has_come_to(host, step) or swap.poll() is not None, OVER_S)
        pause(moment_s)
        print("the swap runs" if swap.poll() is None else "the swap has ended already")
        fault.strike(host)
        swap.communicate(timeout=OVER_S)
        fault.heal(host)
        wait_until(host.is_settled, OVER_S)
        check(host, fault, seen, others)
    if not fault.loses_ledger:
        check_swap_told(host)


def has_come_to(host: Host, step: str) -> bool:
    """Whether the swap that runs has begun a step."""
    swap = answering(host.name).swap
    if swap is None or swap.outcome != RUNNING:
        return False
    return any(line.step == step for line in swap.steps)
