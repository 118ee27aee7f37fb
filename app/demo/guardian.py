"""Stops what the demo started when the demo is gone, however it went.

    guardian = Guardian()          starts `python -m app.demo.guardian`, in a session of its own
    guardian.watch_engine(name)    an engine of ours, with its supervisor
    guardian.watch_process(pid)    any other child
    guardian.dismiss()             all is stopped already; it ends and touches nothing

The two are joined by a pipe. Its end means that the demo has ended, by whatever signal: the kernel
closes a dead process's descriptors.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterable

from engines.host import lifetime
from engines.supervisor_client import client
from store.errors import TrimtabError

DRAIN_S = 3.0
"""How long the demo's own requests may take to finish: nobody waits for their answers."""


class Guardian:
    """The demo's side of the pipe."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "app.demo.guardian"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def watch_engine(self, name: str) -> None:
        """Stop the engine of this name when the demo is gone."""
        self._tell(f"engine {name}")

    def watch_process(self, pid: int) -> None:
        """End this process when the demo is gone."""
        self._tell(f"process {pid} {lifetime.start_ticks(pid) or 0}")

    def dismiss(self) -> None:
        """End the guardian; everything is stopped already."""
        with contextlib.suppress(OSError):
            self._tell("dismiss")
        with contextlib.suppress(OSError):
            self._child.communicate(timeout=5)

    def _tell(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()


def stop_engine(name: str) -> None:
    """Stop a demo's engine; nothing if it has ended."""
    with contextlib.suppress(TrimtabError):
        client.stop(name, drain_s=DRAIN_S)


def guard(lines: Iterable[str]) -> None:
    """Read what to watch until the pipe ends, then stop it: processes first, engines after."""
    engines: list[str] = []
    processes: list[tuple[int, int]] = []
    for line in lines:
        word, *words = line.split()
        if word == "dismiss":
            return
        if word == "engine":
            engines.append(words[0])
        elif word == "process":
            processes.append((int(words[0]), int(words[1])))
    for pid, ticks in processes:
        lifetime.send(pid, ticks, signal.SIGTERM)
    for name in engines:
        stop_engine(name)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the demo, not before
    guard(sys.stdin)
