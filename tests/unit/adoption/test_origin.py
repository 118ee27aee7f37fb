"""How a running process was started, read from /proc and shown without secrets."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.acts.adopt import plan_json, plan_lines
from engines.adoption.origin import read_origin
from engines.adoption.plan import AdoptionPlan
from engines.launch.launch import Launch
from engines.supervisor.takeover.beginning import Beginning, beginning_from_line
from engines.supervisor.takeover.restart import AdoptionOrder
from engines.supervisor.takeover.sockets import Held
from store.errors import NotAchieved
from tests.waiting import wait_until

SLEEP = "print('ready', flush=True); input()"


@contextmanager
def process(
    directory: Path, *arguments: bytes, program: bytes = os.fsencode(sys.executable), **env: bytes
) -> Iterator[int]:
    environ = {b"PATH": os.environb[b"PATH"], **{os.fsencode(k): v for k, v in env.items()}}
    begun = subprocess.Popen(
        [program, b"-c", SLEEP.encode(), *arguments],
        cwd=directory,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: (  # noqa: PLW1509 - as a shell's `ulimit` and `umask`
            resource.setrlimit(resource.RLIMIT_NOFILE, (321, 654)),
            os.umask(0o027),
            os.nice(3),
        ),
    )
    assert begun.stdout is not None
    begun.stdout.readline()
    try:
        yield begun.pid
    finally:
        begun.communicate(b"\n")


def test_it_can_be_started_again_just_so(tmp_path: Path) -> None:
    odd = b"caf\xe9 \xff"
    with process(tmp_path, odd, b"", b"a b", ODD=odd, EMPTY=b"", TWO=b"a=b") as pid:
        origin = read_origin(pid)
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    assert os.fsencode(origin.command[-3]) == odd
    assert origin.command[-2:] == ("", "a b")
    assert origin.command[0] == sys.executable
    assert origin.directory == str(tmp_path)
    assert os.fsencode(origin.environ["ODD"]) == odd
    assert (origin.environ["EMPTY"], origin.environ["TWO"]) == ("", "a=b")
    assert len(origin.environ) == environ.count(b"\0")
    assert origin.conditions.limits["NOFILE"] == (321, 654)
    assert origin.conditions.umask == 0o027
    assert origin.conditions.nice == os.nice(0) + 3
    order = AdoptionOrder(
        pid,
        origin.start_ticks,
        origin.environ,
        origin.conditions,
        Held((pid,), 1, "127.0.0.1", 8000),
        60.0,
        600.0,
    )
    told = Beginning(origin.conditions, order=order)
    assert beginning_from_line(told.to_line()) == told  # odd bytes and all
    assert told.to_line().isascii() and told.to_line().count("\n") == 1


def test_a_program_named_without_its_place_is_found_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "python-x").symlink_to(sys.executable)
    with process(tmp_path, program=b"./python-x") as pid:
        assert read_origin(pid).command[0] == str(tmp_path / "python-x")
        (tmp_path / "python-x").unlink()
        with pytest.raises(NotAchieved, match=r"cannot be run again.*not there any more"):
            read_origin(pid)


def test_what_is_gone_cannot_be_run_again(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with process(gone) as pid:
        gone.rmdir()
        with pytest.raises(NotAchieved, match="its working directory"):
            read_origin(pid)
    copy = tmp_path / "sleep"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", copy)
    sleeping = subprocess.Popen([copy, "60"])
    try:
        # A process that has just become another program has no command line for a moment.
        wait_until(Path(f"/proc/{sleeping.pid}/cmdline").read_bytes)
        copy.unlink()
        with pytest.raises(NotAchieved, match="deleted or replaced"):
            read_origin(sleeping.pid)
    finally:
        sleeping.kill()
        sleeping.wait()


def test_a_process_that_ended_or_hides_is_told_as_such() -> None:
    with pytest.raises(NotAchieved, match="cannot be read"):
        read_origin(2)  # the kernel's: no command line
    with pytest.raises(NotAchieved, match="cannot be read"):
        read_origin(1 << 22)


def test_no_secret_is_shown_and_what_matters_comes_first(tmp_path: Path) -> None:
    words = (b"--api-key", b"sk-very-secret-0123456789", b"\x1b[31mred")
    secrets = {"HF_TOKEN": b"hf_abcdefghijklmnopqrstuv", "AWS_SECRET_ACCESS_KEY": b"verysecret"}
    with process(tmp_path, *words, CUDA_VISIBLE_DEVICES=b"3", AAA=b"\x1b[2J", **secrets) as pid:
        origin = read_origin(pid)
    launch = Launch(
        "n", "m", origin.command, origin.environ, ("127.0.0.1", 8000), "http://127.0.0.1:8000"
    )
    plan = AdoptionPlan(launch, origin, Held((pid,), 1, "127.0.0.1", 8000), True)
    shown = "\n".join(plan_lines(plan, 25.0))
    told = plan_json(plan, None)
    for text in (shown, json.dumps(told), repr(plan)):
        assert not any(word in text for word in ("hf_abc", "verysecret", "sk-very"))
    assert "\x1b" not in shown
    names = list(told["environment"])
    assert names.index("CUDA_VISIBLE_DEVICES") < names.index("AAA")
    assert told["environment"]["HF_TOKEN"] == "***"
    assert told["start_s"] is None
    assert "for about 25 s" in shown
