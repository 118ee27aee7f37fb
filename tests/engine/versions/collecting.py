"""Collects what the checks find and how the engine tests end, where `--findings` names a place.

Hooks of pytest, which the engine tests' conftest.py takes over.
"""

from __future__ import annotations

import time

import pytest

from engines.provision.places import VLLM_VERSION
from tests.engine.versions.findings import (
    Finding,
    findings_of,
    read_found,
    this_host,
    write_found,
)

_found: list[Finding] = []
_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep how a test ended; an error before or after it is a failure of it."""
    if report.when == "call" or report.failed:
        name = report.nodeid.rpartition("/")[2]
        failed = _outcomes.get(name) == "failed" or report.failed
        _outcomes[name] = "failed" if failed else report.outcome
        _found.extend(findings_of(report.user_properties, report.outcome))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down what was found beside what earlier runs found: a run need not be of all."""
    directory = session.config.getoption("--findings", default=None)
    if directory is None or not _outcomes:
        return
    found = read_found(directory, session.config.getoption("--vllm") or VLLM_VERSION)
    found.date, found.host = time.strftime("%Y-%m-%d"), this_host()
    found.tests |= _outcomes
    for finding in _found:
        found.add(finding)
    write_found(directory, found)
