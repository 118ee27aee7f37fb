"""Starting the keeper of an engine, which outlives us."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from engines.cleaning.outputs import clean_line
from engines.launch.launch import Launch, LaunchSpec
from engines.launch.prepare import prepare
from engines.provision.places import supervisor_log
from engines.serving.name_lock import name_lock
from engines.serving.registry import find_serving
from engines.serving.started import Started, started_as
from engines.supervisor.common.memory import Memory, to_line
from engines.supervisor.takeover.beginning import Beginning
from engines.supervisor_client.client import BEGIN_S
from store.errors import NotAchieved
from store.private_files import open_log

_POLL_S = 0.1


def start_supervised(spec: LaunchSpec) -> Started:
    """Start an engine under a supervisor of its own, which outlives us.

    Raises as `launch.prepare` does, and `NotAchieved` where the supervisor did not begin.
    """
    with prepare(spec) as (launch, listener):
        beginning = Beginning(None, descriptor=listener.fileno())
        keeper = start_keeper(launch, beginning.to_line(), listener.fileno())
    until = time.monotonic() + BEGIN_S
    while time.monotonic() < until and keeper.poll() is None:
        serving = find_serving(launch.name)
        if serving is not None:
            return started_as(serving, log_only=launch.log_only)
        time.sleep(_POLL_S)
    keeper.terminate()  # it may still try, and nobody would know
    raise why_not_begun(launch.name)


def start_keeper(launch: Launch, beginning: str, *descriptors: int) -> subprocess.Popen[bytes]:
    """Start the keeper of an engine, in a session of its own. `beginning` is the line that tells it
    how it comes to the engine's address, for which it inherits `descriptors`.

    Raises `NotAchieved` where the engine of this name has a keeper already.
    """
    log = supervisor_log(launch.name)
    try:
        with name_lock(launch.name) as lock, open_log(log, afresh=True) as output:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "engines.supervisor"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(*descriptors, lock),
            )
    except OSError as error:
        raise NotAchieved(
            f"the supervisor of {launch.name} cannot be started",
            f"{error.filename or log}: {error.strerror}",
        ) from None
    assert keeper.stdin is not None
    # The environment carries keys: over a pipe nobody else reads it.
    keeper.stdin.write((to_line(Memory(launch)) + beginning).encode())
    keeper.stdin.close()
    return keeper


def why_not_begun(name: str) -> NotAchieved:
    """What to raise where a supervisor did not begin: why its engine ended, where its log tells,
    else the last line of that."""
    log = supervisor_log(name)
    text = log.read_text(errors="replace").strip()
    endings = re.findall(r"^.* process \d+ ended[^:\n]*: (.*)$", text, re.MULTILINE)
    reason = endings[-1] if endings else text.rpartition("\n")[2]
    return NotAchieved(f"{name} was not started", clean_line(reason), f"see {log}")
