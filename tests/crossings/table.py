"""The table of crossings, written out of the cells that ran:
`pytest -p tests.crossings.table --crossings-table FILE tests/crossings`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

FOLLOWS: Mapping[str, str] = {
    "set": "The knob has the old or the new value in every EngineCore, and the ledger the last one "
    "that is in force.",
    "lease": "The start value is in force again once the lease is over, whatever became of the "
    "command.",
    "undo": "The knob has the value before the undo or the one before the change; the ledger tells "
    "which.",
    "record": "One life of the engine is one run, whole to the row; another recorder goes on.",
    "stop": "The engine, its supervisor and its keeper are gone, their name is free; whoever was "
    "told that it did not hold asks again and is served.",
    "swap, overlap": "One engine serves under the name, the old one or the new one; every request "
    "is answered whole unless an engine in service was killed; the ledger has the swap as it came "
    "out, and a change of the variant only where it was done.",
    "swap, stop-start": "The same; requests wait while nobody serves.",
    "adopt": "One engine serves, under the supervisor or as it was before, and then the next try "
    "adopts it; every request is answered whole unless an engine in service was killed.",
}
"""What must hold for each act, whatever befalls it. In every cell besides: a process that looks
like an engine and is somebody else's lives on, nothing of ours is left over, and the next command
works."""

NO_ACTS = frozenset({"knobs", "variants", "demo", "doctor", "provision", "serve", "traffic"})
"""Commands that change nothing that is there."""

_HEAD = """# Crossings: every act beside every fault

Written by `make crossings`, a row for each fault and a column for each act. ✓: the fault struck at
a moment picked by chance in the midst of the act, and everything below held. –: the act has no part
that this fault could strike.
"""


def cell_of(test_id: str) -> tuple[str, str] | None:
    """(act, fault) of a test's id; None for one that is no cell."""
    name, bracket, cell = test_id.partition("[")
    if not bracket or "test_a_fault_in_the_midst_of" not in name:
        return None
    act, dash, fault = cell.removesuffix("]").partition(" beside ")
    return (act, fault) if dash else None


def markdown(outcomes: Mapping[tuple[str, str], str]) -> str:
    """The table of these outcomes, and what each act's column stands for."""
    faults = list(dict.fromkeys(fault for _, fault in outcomes))
    acts = [act for act in FOLLOWS if any(act == ran for ran, _ in outcomes)]
    rows = [["fault", *acts], ["---", *(":-:" for _ in acts)]]
    rows += [[fault, *(_mark(outcomes.get((act, fault))) for act in acts)] for fault in faults]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    follows = "\n".join(f"- **{act}**: {FOLLOWS[act]}" for act in acts)
    return f"{_HEAD}\n{table}\n\n## What must follow\n{follows}\n"


def _mark(outcome: str | None) -> str:
    return {None: "–", "passed": "✓"}.get(outcome, str(outcome))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--crossings-table", type=Path, default=None)


class _Recorder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        cell = cell_of(report.nodeid)
        if cell is not None and (report.when == "call" or report.outcome != "passed"):
            self._outcomes[cell] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(markdown(self._outcomes))


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--crossings-table")
    if path is not None:
        config.pluginmanager.register(_Recorder(path))
