import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engines.host import procfs
from tests.waiting import PATIENCE_S, wait_until


@contextmanager
def sleeper(*arguments: str, env: dict[str, str] | None = None) -> Iterator[int]:
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


def test_a_process_reads_as_psutil_reads_it() -> None:
    with sleeper("--x", "a b", "ü") as pid:
        ours = procfs.read_process(pid)
        theirs = psutil.Process(pid)
        assert ours is not None
        assert list(ours.arguments) == theirs.cmdline()
        assert (ours.ppid, ours.comm) == (os.getpid(), theirs.name()[:15])
        assert ours.started_ms == pytest.approx(theirs.create_time() * 1000, abs=1_500)
        assert ours.started_ms == pytest.approx(time.time() * 1000, abs=60_000)
        assert procfs.user_id(pid) == os.geteuid()
        assert procfs.inner_pid(pid) == pid
        assert str(procfs.working_directory(pid)) == theirs.cwd()
        assert procfs.same_network(pid)


@pytest.mark.parametrize("keeps_lists", [True, False])
def test_what_is_below_is_told_by_each_ones_children(
    monkeypatch: pytest.MonkeyPatch, keeps_lists: bool
) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    begun = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    read_text = procfs.read_text
    if keeps_lists:
        monkeypatch.setattr(procfs, "processes", dict)
    else:  # as a kernel without CONFIG_PROC_CHILDREN
        monkeypatch.setattr(
            procfs,
            "read_text",
            lambda path, *most: None if "children" in path else read_text(path, *most),
        )
    try:
        wait_until(lambda: procfs.pids_below(begun.pid))
        (child,) = psutil.Process(begun.pid).children()
        assert procfs.pids_below(begun.pid) == [child.pid]
        assert begun.pid in procfs.pids_below(os.getpid())
        assert child.pid in procfs.pids_below(os.getpid())
    finally:
        begun.communicate(b"\n")


def test_the_table_holds_what_psutil_lists() -> None:
    with sleeper() as pid:
        table = procfs.processes()
        assert table[pid].ppid == os.getpid()
        assert pid in [p.pid for p in procfs.descendants(os.getpid(), table)]
        assert [p.pid for p in procfs.ancestors(pid, table)][:2] == [pid, os.getpid()]
        assert [p.pid for p in procfs.ancestors(pid)] == [
            p.pid for p in procfs.ancestors(pid, table)
        ]


@pytest.mark.parametrize("comm", ["a) S 1 (b", "(sd pam)", "x y z", ")", "))) R 1 1"])
def test_names_with_spaces_and_parentheses(comm: str) -> None:
    child = os.fork()
    if child == 0:
        Path("/proc/self/comm").write_text(comm)
        time.sleep(PATIENCE_S)
        os._exit(0)
    try:
        wait_until(lambda: (one := procfs.read_process(child)) is not None and one.comm == comm)
        process = procfs.read_process(child)
        assert process is not None
        assert (process.comm, process.ppid) == (comm, os.getpid())
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_the_environment_holds_only_what_is_asked_and_no_secrets() -> None:
    env = {"VLLM_API_KEY": "sesame", "VLLM_PLUGINS": "a,b", "HF_TOKEN": "sesame"}
    with sleeper(env=env) as pid:
        read = procfs.environment(pid, ("VLLM_", "PATH="))
    assert read == {"VLLM_API_KEY": "***", "VLLM_PLUGINS": "a,b", "PATH": os.environ["PATH"]}


def test_nobody_has_this_pid() -> None:
    missing = 2**22 + 1
    assert procfs.read_process(missing) is None
    assert procfs.working_directory(missing) is None
    assert procfs.environment(missing, ("A",)) is None
    assert list(procfs.ancestors(missing)) == []
    assert procfs.inner_pid(missing) == missing
