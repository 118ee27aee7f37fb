"""Collects what the checks find and how the engine tests end, where `--findings` names a place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.provision.places import VLLM_VERSION
from tests.engine.command import Trimtab
from tests.engine.conftest import LiveEngine
from tests.engine.versions.findings import (
    Finding,
    Teller,
    findings_of,
    read_found,
    this_host,
    write_found,
)

_found: list[Finding] = []
_outcomes: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--findings", type=Path, help="the directory to keep the findings in")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.failed:
        name = report.nodeid.rpartition("/")[2]
        failed = _outcomes.get(name) == "failed" or report.failed
        _outcomes[name] = "failed" if failed else report.outcome
        _found.extend(findings_of(report.user_properties, report.outcome))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Beside what earlier runs found: a run need not be of everything."""
    directory = session.config.getoption("--findings", default=None)
    if directory is None or not _outcomes:
        return
    found = read_found(directory, session.config.getoption("--vllm") or VLLM_VERSION)
    found.date, found.host = time.strftime("%Y-%m-%d"), this_host()
    found.tests |= _outcomes
    for finding in _found:
        found.add(finding)
    write_found(directory, found)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Teller:
    return Teller(request.node)


@pytest.fixture
def trimtab(engine: LiveEngine, tmp_path: Path) -> Iterator[Trimtab]:
    yield Trimtab(engine, tmp_path / "l.db", {"TRIMTAB_CONFIG_DIR": str(tmp_path)})
    engine.found_again()
