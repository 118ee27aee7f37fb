"""Writes what ran on a real engine into the table, where `--table` names a file."""

from __future__ import annotations

import pytest

from tests.crossings.live.table import CELLS, with_results

_passed: dict[str, bool] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    cell = report.nodeid.partition("[")[2].removesuffix("]")
    if cell in CELLS and not report.skipped:
        _passed[cell] = _passed.get(cell, True) and report.passed


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--table", default=None)
    if path is not None and _passed:
        path.write_text(with_results(path.read_text(), _passed))
