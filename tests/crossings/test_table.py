"""The table of crossings leaves no act out."""

from __future__ import annotations

from pathlib import Path

from app.cli.commands import COMMANDS
from tests.crossings.acts import ACTS
from tests.crossings.table import FOLLOWS, NO_ACTS, cell_of, markdown

CLI = Path(__file__).parents[2] / "app" / "cli"


def test_every_command_that_acts_has_its_column() -> None:
    acting = {
        file.stem.strip("_")
        for folder in ("changing", "running")
        for file in (CLI / folder).glob("[a-z]*.py")
    }
    crossed = {act.partition(",")[0] for act in FOLLOWS}
    assert acting <= COMMANDS.keys()
    assert acting - crossed == NO_ACTS
    assert {act.name for act in ACTS} <= FOLLOWS.keys()


def test_a_cell_is_told_by_its_id() -> None:
    outcomes = {
        cell: outcome
        for test_id, outcome in (
            ("t.py::test_a_fault_in_the_midst_of_an_act[set beside disk full]", "passed"),
            ("t.py::test_a_fault_in_the_midst_of_a_swap[swap, overlap beside disk full]", "failed"),
            (
                "t.py::test_a_fault_in_the_midst_of_an_act[set beside SIGKILL of the engine]",
                "passed",
            ),
            ("t.py::test_else[set]", "passed"),
        )
        if (cell := cell_of(test_id)) is not None
    }
    rows = [line for line in markdown(outcomes).splitlines() if line.startswith("| ")]
    assert rows == [
        "| fault | set | swap, overlap |",
        "| --- | :-: | :-: |",
        "| disk full | ✓ | failed |",
        "| SIGKILL of the engine | ✓ | – |",
    ]
