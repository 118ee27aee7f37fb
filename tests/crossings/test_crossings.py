"""Every act beside every fault."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.cli.commands import COMMANDS
from tests.crossings.acts import ACTS, WITHOUT_ROW, Act
from tests.crossings.faults import Fault, disk_of
from tests.crossings.invariants import check
from tests.crossings.table import CELLS
from tests.crossings.world import a_world, environment


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        pytest.param(act, fault, id=cell, marks=() if fault.always else pytest.mark.wide)
        for cell, (act, fault) in CELLS.items()
    ],
)
def test_a_fault_in_the_midst_of_an_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Act, fault: Fault
) -> None:
    if fault.small_disk and os.geteuid() != 0:
        pytest.skip("only root can give a cell a disk of its own")
    for variable, value in environment(tmp_path).items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "disk").mkdir()
    with (
        disk_of(fault, tmp_path / "disk"),
        a_world(tmp_path, "cross", supervised=not act.adopts) as world,
    ):
        act.prepare(world)
        act.begin(world)
        act.midst(world)
        fault.strike(world)
        try:
            world.wait()
        finally:
            fault.heal(world)
        check(world, act, fault)


def test_every_command_has_a_row_or_a_reason() -> None:
    assert {act.command for act in ACTS} | WITHOUT_ROW.keys() == COMMANDS.keys()
