"""The doctor on this machine as it is, and on one with faults put in."""

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from engines.control.plugin_sockets import directory_fault
from engines.doctor import diagnosis as doctor
from engines.doctor import host_checks
from engines.doctor.check import Check
from tests.fakes.engine_trees import fake_engine
from tests.names import own


@pytest.fixture(autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(directory))
    return directory


def one(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_an_examination_changes_nothing_and_names_every_subject(data: Path) -> None:
    checks = doctor.examine(data / "ledger.db")
    names = {check.name for check in checks}
    assert {"python", "terminal", "data directory", "ledger", "engine environment"} <= names
    assert {"plugin directory", "processes", "clock"} <= names
    assert any(name.startswith("GPU") for name in names)
    assert any(name.startswith("engine") for name in names - {"engine environment"})
    assert list(data.iterdir()) == []
    for check in checks:
        assert check.what.isprintable()
        assert check.ok is not False or check.remedy or check.name.startswith("engine")


def test_each_engine_is_told_with_its_control(tmp_path: Path, data: Path) -> None:
    name, silent = own("with-plugin"), own("hung-up")
    with (
        fake_engine(tmp_path / "a", f"org/{name}", plugins=[True]) as live,
        fake_engine(tmp_path / "b", f"org/{silent}", hang=True, env={"PYTHONPATH": ""}),
    ):
        checks = doctor.examine(data / "ledger.db", deadline_s=4)
    assert one(checks, f"engine {name}") == Check(
        f"engine {name}", True, f"{live.url}: live, trimtab's plugin is loaded"
    )
    hung = one(checks, f"engine {silent}")
    assert hung.ok is False
    assert "does not answer" in hung.what and "trimtab serve" in hung.what


def test_a_file_that_is_no_ledger_is_left_as_it_is(data: Path) -> None:
    content = b"not a database at all, but a text file"
    path = data / "other.db"
    path.write_bytes(content)
    check = one(doctor.examine(path), "ledger")
    assert check.ok is False
    assert path.read_bytes() == content
    assert [p.name for p in data.iterdir()] == ["other.db"]


def test_a_foreign_database_is_named(data: Path) -> None:
    path = data / "foreign.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    connection.close()
    check = one(doctor.examine(path), "ledger")
    assert check.ok is False and check.remedy


def test_a_directory_that_cannot_be_written(data: Path) -> None:
    blocker = data / "file"
    blocker.write_text("")
    (check,) = host_checks.data_directory(blocker / "trimtab")
    assert check.ok is False and "cannot be written" in check.what


def test_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert [check.ok for check in host_checks.terminal()] == [True, None]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "40")
    verdicts = {}
    for kind in ("xterm-256color", "dumb", ""):
        monkeypatch.setenv("TERM", kind)
        verdicts[kind] = list(host_checks.terminal())[-1].ok
    assert verdicts == {"xterm-256color": True, "dumb": False, "": False}
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    assert list(host_checks.terminal())[-1].remedy == "make it 80x24 or larger"


def test_file_systems() -> None:
    assert host_checks.file_system(Path("/proc/self")) == "proc"
    assert host_checks.file_system(Path("/no/such/path")) == host_checks.file_system(Path("/"))


def test_faults_of_the_plugin_directory(tmp_path: Path) -> None:
    path = tmp_path / "trimtab-x"
    assert directory_fault(path, os.geteuid()) == ""
    path.mkdir(mode=0o700)
    assert directory_fault(path, os.geteuid()) == ""
    assert "belongs to" in directory_fault(path, os.geteuid() + 1)
    path.chmod(0o755)
    assert "open to others (mode 755)" in directory_fault(path, os.geteuid())
    link = tmp_path / "link"
    link.symlink_to(path)
    assert "not a directory" in directory_fault(link, os.geteuid())
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    assert "not a directory" in directory_fault(tmp_path / "s", os.geteuid())
