"""Whose a process is."""

import os
import subprocess
import sys

from engines.host.users import other_user


def test_our_own_is_nobody_elses() -> None:
    assert other_user(os.getpid()) == ""


def test_one_that_has_ended_is_not_ours() -> None:
    """What a stranger's process was called is still known, and nothing may be sent to its port."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert other_user(process.pid) == "an unknown user"
