"""Writes what ran as a table, where `--table` names a file."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.crossings.invariants")

from tests.crossings.table import CELLS, as_markdown, live_part  # noqa: E402 - rewritten first

_passed: dict[str, bool] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="the file for the table of cells")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    cell = report.nodeid.partition("[")[2].removesuffix("]")
    if cell in CELLS:
        _passed[cell] = _passed.get(cell, True) and report.passed


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Only a run of every cell is written down."""
    path = session.config.getoption("--table", default=None)
    if path is not None and _passed.keys() == CELLS.keys():
        before = path.read_text() if path.exists() else ""
        path.write_text("\n".join(filter(None, (as_markdown(_passed), live_part(before)))))
