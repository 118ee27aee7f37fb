"""What a swap leaves behind whose supervisor was killed: its engines, their names, its row."""

from __future__ import annotations

import contextlib
import os
import socket
from functools import partial

from engines.control.inside_path import LISTEN_FD
from engines.host import lifetime, procfs
from engines.host.ending import end_processes, those_alive
from engines.host.listeners import socket_inodes
from engines.serving import names, registry, stopping
from engines.supervisor.common.telling import tell_interrupted
from engines.supervisor.states.context import Context
from store.errors import TrimtabError
from store.reports.outcomes import DONE
from store.reports.swap import ROLLED_BACK

_GRACE_S = 5.0


def name_swapped(name: str) -> None:
    """Give the engine that has taken over the name of the one before, and that one another."""
    for candidate in names.candidate_names(name):
        if registry.find_serving(candidate) is None:
            continue
        if registry.find_serving(name) is not None:
            registry.rename(name, names.leaving_name(name))
        registry.rename(candidate, name)


def end_unfinished(context: Context, drain_s: float = stopping.DRAIN_S) -> None:
    """End what a swap has left whose supervisor was killed, or that a stop has broken into: the new
    engine where it had not taken over, else the old one."""
    name = context.launch.name
    for left_name in names.names_in_swap(name):
        if registry.find_serving(left_name) is None:
            continue
        context.say(f"a swap was left unfinished: ending {left_name}")
        with contextlib.suppress(TrimtabError):
            stopping.stop(left_name, drain_s=drain_s)


def end_unrecorded(context: Context) -> None:
    """End an engine whose supervisor was killed before it had written down that there is one.

    It has the address's socket: it would serve beside the next engine, and outlive a stop.
    """
    recorded = {serving.pid for serving in registry.list_serving()}
    for pid in procfs.process_ids():
        ticks = lifetime.start_ticks(pid)
        if ticks is None or pid in recorded or not _was_given(pid, context.listener):
            continue
        members = lifetime.session_of(pid, ticks)
        if pid in members:  # every engine begins a session with its first process
            context.say(f"ending process {pid}: a killed supervisor had just started it")
            end_processes(members, partial(those_alive, members), grace_s=_GRACE_S)


def _was_given(pid: int, listener: socket.socket) -> bool:
    """Whether a process of ours was started with this socket to serve on."""
    if procfs.user_id(pid) != os.geteuid():
        return False
    environ = procfs.read_text(f"/proc/{pid}/environ") or ""
    inode = os.fstat(listener.fileno()).st_ino
    return f"{LISTEN_FD}=" in environ and inode in (socket_inodes(pid) or ())


def tell_unfinished(context: Context) -> None:
    """Say what became of the swap in which the supervisor before this one was killed."""
    swap = context.memory.swap
    if swap is None:
        return
    outcome, reason = ROLLED_BACK, "its supervisor was killed in the midst"
    if swap.taken_over:
        outcome, reason = DONE, ""
    # First: should the order be what broke that supervisor, it breaks one more at the most.
    context.remember(context.memory.swap_finished())
    context.swap = tell_interrupted(swap.order, context.launch, outcome, reason)
