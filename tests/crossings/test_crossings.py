"""Every act beside every fault."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest

from tests.crossings.acts import ACTS, Act
from tests.crossings.faults import FAULTS, Fault
from tests.crossings.invariants import check
from tests.crossings.world import a_world, pause

LONGEST_S = 0.6
"""A command takes about so long: the fault comes somewhere within."""


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        pytest.param(act, fault, id=f"{act.name} beside {fault.name}")
        for act, fault in product(ACTS, FAULTS)
    ],
)
def test_a_fault_in_the_midst_of_an_act(tmp_path: Path, act: Act, fault: Fault) -> None:
    moment_s = random.uniform(0, LONGEST_S)
    print(f"after {moment_s:.3f} s")
    with a_world(tmp_path) as world:
        act.prepare(world)
        act.begin(world)
        pause(moment_s)
        fault.strike(world)
        world.wait()
        fault.heal(world)
        check(world, act, fault)
