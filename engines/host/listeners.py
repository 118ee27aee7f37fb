"""Listening sockets out of /proc, joined to processes by socket inode."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from engines.host import procfs

_LISTEN = b"0A"
_MAPPED_IPV4 = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class TcpListener:
    """A TCP socket that accepts connections. `user_id` is who opened it."""

    address: str
    port: int
    user_id: int
    inode: int

    @property
    def accepts_any(self) -> bool:
        """Whether it listens on every address of the machine."""
        return self.address in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


@lru_cache(maxsize=256)
def _decode_address(text: str) -> str:
    """The kernel prints an address as 32-bit words in the machine's own byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return decoded_address(struct.pack(f"={len(words)}I", *words))


def decoded_address(raw: bytes) -> str:
    """4 or 16 bytes in network order as text; IPv4 inside IPv6 as IPv4."""
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    if raw.startswith(_MAPPED_IPV4):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def tcp_listeners(pid: int | None = None, most: int | None = None) -> list[TcpListener]:
    """The listening TCP sockets of the network that `pid` (or this program) lives in; with `most`
    only the first of either family."""
    listeners = []
    for table in ("tcp", "tcp6"):
        lines = procfs.read_lines(f"/proc/{pid or 'self'}/net/{table}")
        for line in islice(lines, 1, None if most is None else most + 1):
            fields = line.split()
            # Connections come after them (proc_net_tcp.rst), and may be any number.
            if len(fields) < 10 or fields[3] != _LISTEN:
                break
            address, _, port = fields[1].decode("ascii", "replace").partition(":")
            listeners.append(
                TcpListener(_decode_address(address), int(port, 16), int(fields[7]), int(fields[9]))
            )
    return listeners


class TcpListeners:
    """The listening TCP sockets of networks, each network's read once: reading costs milliseconds,
    and many processes may live in one."""

    def __init__(self) -> None:
        self._by_network: dict[tuple[int, int | None], list[TcpListener]] = {}

    def of(self, pid: int, most: int | None = None) -> list[TcpListener]:
        """Those of the network that `pid` lives in, as `tcp_listeners` tells them."""
        network = procfs.network_of(pid)
        if network is None:
            return []
        if (network, most) not in self._by_network:
            self._by_network[network, most] = tcp_listeners(pid, most)
        return self._by_network[network, most]


def unix_listener(path: str) -> int | None:
    """The process that listens on a Unix socket, by the kernel's word for who is at the other end;
    None where nobody takes connections there.

    /proc/net/unix does not tell it: any user may put lines of their own into that table, as names
    of sockets with a newline in them. Raises BlockingIOError where it listens and is too busy.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except BlockingIOError:
            raise
        except OSError:
            return None
        return peer_of(probe).pid


class Peer(NamedTuple):
    """The process at the other end of a Unix socket, as it was when the two were connected."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: socket.socket) -> Peer:
    """Who is at the other end, by the kernel's word; raises OSError."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return Peer(*struct.unpack("3i", credentials))


def socket_inodes(pid: int) -> set[int] | None:
    """Inodes of the sockets a process holds, or None where we may not look."""
    descriptors = socket_descriptors(pid)
    return None if descriptors is None else set(descriptors)


def socket_descriptors(pid: int) -> dict[int, int] | None:
    """Where each socket of a process is: inode → descriptor; None where we may not look."""
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)  # noqa: PTH208 - hundreds of entries, paths cost
    except OSError:
        return None
    descriptors = {}
    for name in names:
        try:
            target = os.readlink(f"{directory}/{name}")  # noqa: PTH115
        except OSError:
            continue
        if target.startswith("socket:["):
            descriptors[int(target[8:-1])] = int(name)
    return descriptors


def any_listens(pids: Iterable[int], port: int) -> bool:
    """Whether one of these processes of one network, which is not empty, holds a socket that takes
    connections on a port; those we may not look into do not."""
    pids = tuple(pids)
    inodes = {listener.inode for listener in tcp_listeners(pids[0]) if listener.port == port}
    return any(holds_socket(pid, inode) for pid in pids for inode in inodes)


def holds_socket(pid: int, inode: int) -> bool | None:
    """Whether a process holds a socket, None where we may not look. Looks in the order of the
    descriptors: what it opened first is met before the connections that others opened to it."""
    wanted = f"socket:[{inode}]"
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(_target(entry.path) == wanted for entry in entries)
    except OSError:
        return None


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - thousands
    except OSError:
        return ""


def may_listen(pid: int) -> bool:
    """Whether a process holds a TCP socket, listening or not; True where that cannot be seen."""
    descriptors = socket_descriptors(pid)
    if descriptors is None:
        return True
    for descriptor in descriptors.values():
        try:
            protocol = os.getxattr(f"/proc/{pid}/fd/{descriptor}", "system.sockprotoname")
        except FileNotFoundError:  # closed meanwhile
            continue
        except OSError:
            return True
        if b"TCP" in protocol:
            return True
    return False


def owner_of(inode: int) -> int | None:
    """The lowest PID that holds a socket, among those we may look into.

    Looks through every process: for one question asked by a person, not for a loop.
    """
    for pid in sorted(procfs.process_ids()):
        if inode in (socket_inodes(pid) or ()):
            return pid
    return None
