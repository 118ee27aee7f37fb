"""Which EngineCores are orphans, by their parents alone."""

from __future__ import annotations

import pytest

from engines.host.processes import orphans
from engines.host.procfs import Process


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
    parent = Process(10, 1, comm, arguments, 0)
    core = Process(20, 10, "VLLM::EngineCor", ("VLLM::EngineCore",), 0)
    worker = Process(21, 20, "VLLM::Worker", ("VLLM::Worker",), 0)
    table = {process.pid: process for process in (parent, core, worker)}
    assert orphans(table) == ([core] if orphaned else [])
