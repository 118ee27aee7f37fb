"""Which engine a worker process of Ray belongs to.

Ray starts the workers of `--distributed-executor-backend ray` itself: children of its raylet, named
`ray::RayWorkerWrapper…`, in no engine's tree. The engine's process talks to each over TCP (Ray's
PushTask), so a connection between the two proves it; where connections cannot be seen, the only
engine of this host that was started with Ray is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines.command_line.flags import last_value
from engines.host import procfs
from engines.host.listeners import socket_inodes
from engines.host.processes import EngineTree
from engines.host.procfs import Process

_WORKER = "ray::RayWorkerW"
"""comm holds 15 characters."""
_BACKENDS = ("distributed-executor-backend", "data-parallel-backend")
_ESTABLISHED = b"01"


def is_worker(process: Process) -> bool:
    """Whether a process is a vLLM worker that Ray started."""
    title = process.arguments[0] if process.arguments else ""
    return process.comm.startswith(_WORKER) or title.startswith(_WORKER)


def uses_ray(tree: EngineTree) -> bool:
    """Whether an engine was started to compute in workers of Ray's."""
    launch = tree.launch or ()
    return any((last_value(launch, flag) or "").casefold() == "ray" for flag in _BACKENDS)


def engine_of_worker(worker: Process, trees: Sequence[EngineTree]) -> tuple[int, bool] | None:
    """The root PID of the engine that a worker of Ray's computes for, and whether that is certain;
    None where it is not known."""
    fitting = [tree for tree in trees if uses_ray(tree)]
    if not fitting:
        return None
    far_ends = _far_ends(worker.pid)
    connected = [
        tree.root.pid
        for tree in fitting
        if any(far_ends & (socket_inodes(each.pid) or set()) for each in (tree.root, *tree.members))
    ]
    if len(connected) == 1:
        return connected[0], True
    return (fitting[0].root.pid, False) if len(fitting) == 1 else None


def _far_ends(pid: int) -> set[int]:
    """The sockets at the other ends of a process's TCP connections on this host, by inode."""
    connections = _connections(pid)
    own_inodes = (socket_inodes(pid) or set()) & connections.keys()
    far_addresses = {connections[inode][::-1] for inode in own_inodes}
    return {inode for inode, ends in connections.items() if ends in far_addresses} - own_inodes


def _connections(pid: int) -> Mapping[int, tuple[bytes, bytes]]:
    """Own and far address of each TCP connection in a process's network, by the socket's inode."""
    ends = {}
    for table in ("tcp", "tcp6"):
        for line in procfs.read_lines(f"/proc/{pid}/net/{table}"):
            fields = line.split()
            if len(fields) > 9 and fields[3] == _ESTABLISHED:
                ends[int(fields[9])] = (fields[1], fields[2])
    return ends
