"""Which EngineCores are orphans, by their parents alone."""

from __future__ import annotations

import pytest

from engines.host.processes import engine_trees, orphans, serve_arguments
from engines.host.procfs import Process

NOBODY = 2**22 + 10
"""A PID that no process has."""


@pytest.mark.parametrize(
    ("comm", "arguments", "orphaned"),
    [
        ("systemd", ("/sbin/init",), True),
        ("bash", ("bash", "run.sh"), True),
        ("python3", ("python3", "offline.py"), False),
        ("ray::RayWorkerW", ("ray::RayWorkerWrapper",), False),
        ("vllm", ("/usr/bin/python3", "/usr/bin/vllm", "serve", "m"), False),
    ],
)
def test_a_parent_that_cannot_have_started_it_was_given_it(
    comm: str, arguments: tuple[str, ...], orphaned: bool
) -> None:
    parent = Process(NOBODY, 1, comm, arguments, 0)
    core = Process(NOBODY + 1, NOBODY, "VLLM::EngineCor", ("VLLM::EngineCore",), 0)
    worker = Process(NOBODY + 2, NOBODY + 1, "VLLM::Worker", ("VLLM::Worker",), 0)
    table = {process.pid: process for process in (parent, core, worker)}
    assert orphans(table) == ([core] if orphaned else [])


def test_a_launcher_that_was_given_a_core_hides_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asked for orphans (PR_SET_CHILD_SUBREAPER), or is the first process of a container."""
    launcher = Process(NOBODY, 1, "python3", ("python3", "launch.py"), 0)
    core = Process(NOBODY + 1, NOBODY, "VLLM::EngineCor", ("VLLM::EngineCore",), 0)
    server = Process(NOBODY + 2, NOBODY, "vllm", ("/v/python3.13t", "/v/bin/vllm", "serve", "m"), 0)
    its_core = Process(NOBODY + 3, NOBODY + 2, "VLLM::EngineCor", ("VLLM::EngineCore",), 0)
    table = {process.pid: process for process in (launcher, core, server, its_core)}
    monkeypatch.setattr("engines.host.processes.processes", lambda **_: table)
    (tree,) = engine_trees()
    assert (tree.root, tree.cores) == (server, (its_core,))
    assert orphans(table) == [core]


def test_a_stranger_s_child_makes_nobody_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Process(NOBODY, 0, "python3", ("python3", "init.py"), 0)
    dressed = Process(NOBODY + 1, NOBODY, "VLLM::Worker", ("VLLM::Worker",), 0)
    table = {process.pid: process for process in (first, dressed)}
    monkeypatch.setattr("engines.host.processes.processes", lambda **_: table)
    monkeypatch.setattr("engines.host.processes.user_id", {NOBODY: 0, NOBODY + 1: 4242}.get)
    assert engine_trees() == []


def test_each_rank_with_an_address_of_its_own_is_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Process(NOBODY, 1, "vllm", ("vllm", "serve", "m", "-dpm"), 0)
    ranks = [
        Process(NOBODY + n, NOBODY, "VLLM::ExternalL", (f"VLLM::ExternalLBRank_{n}",), 0)
        for n in (1, 2)
    ]
    cores = [
        Process(NOBODY + 10 + n, NOBODY + n, "VLLM::EngineCor", ("VLLM::EngineCore",), 0)
        for n in (1, 2)
    ]
    table = {process.pid: process for process in (server, *ranks, *cores)}
    monkeypatch.setattr("engines.host.processes.processes", lambda **_: table)
    assert [(tree.root, tree.cores) for tree in engine_trees()] == [
        (rank, (core,)) for rank, core in zip(ranks, cores, strict=True)
    ]
    assert orphans(table) == []


@pytest.mark.parametrize(
    "interpreter", ["python3.13t", "python3.11d", "python3-intel64", "/lib64/ld-linux-x86-64.so.2"]
)
def test_the_interpreter_may_go_by_any_name(interpreter: str) -> None:
    python = ("/usr/bin/python3",) if "ld-linux" in interpreter else ()
    assert serve_arguments((interpreter, *python, "/v/bin/vllm", "serve", "m")) == ("m",)
