"""Whose a process is."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from engines.host import procfs
from engines.host.users import other_user


def test_our_own_is_nobody_elses() -> None:
    assert other_user(os.getpid()) == ""


def test_one_that_has_ended_is_not_ours() -> None:
    """What a stranger's process was called is still known, and nothing may be sent to its port."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert other_user(process.pid) == "an unknown user"


def test_a_setuid_process_is_nobody_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts `su` chooses its command line, and it runs with root's rights."""
    monkeypatch.setattr(procfs, "status_field", lambda *_: ["4242", "0", "0", "0"])
    monkeypatch.setattr(procfs.os, "stat", lambda _: SimpleNamespace(st_uid=0))
    assert procfs.user_id(1) is None
    assert other_user(1) == "an unknown user"
