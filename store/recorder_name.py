"""The name of a recorder: "pid@host:start", one among all hosts and lives of a process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from store.clock import now_ms


def new_owner() -> str:
    """A name for a recorder of this process that begins now."""
    return f"{os.getpid()}@{socket.gethostname()}:{now_ms()}"


def was_killed(owner: str) -> bool:
    """Whether a recorder of this host left its lease behind.

    The lease itself still runs out by its heartbeat alone, so a PID of another container that only
    seems to be gone costs a wait, never a fight over the engine.
    """
    pid, _, host_and_start = owner.partition("@")
    is_this_host = host_and_start.rpartition(":")[0] == socket.gethostname()
    return is_this_host and pid.isdigit() and not Path(f"/proc/{pid}").exists()
