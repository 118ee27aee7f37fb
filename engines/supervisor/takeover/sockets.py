"""Getting the address of an engine that holds it, without a refused connection.

A second socket listens beside the engine's own: both have SO_REUSEPORT, and a filter of the group
(socket(7), SO_ATTACH_REUSEPORT_CBPF) gives every new connection to ours, where it waits. So the
engine takes no more, keeps what it has, and the next one inherits our socket. vLLM with one API
server does not set SO_REUSEPORT, so it is set through a copy of its descriptor: pidfd_getfd(2),
Linux 5.6, which asks for the right to trace the process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from engines.host.listeners import socket_descriptors, tcp_listeners
from engines.launch.ports import BACKLOG

Way = Literal["beside", "after"]
"""`beside`: connections wait from the first moment on. `after`: they are refused between the end
of the old engine and the moment when ours listens."""

_PIDFD_GETFD = 438  # the same number on every architecture
_SO_ATTACH_REUSEPORT_CBPF = 51
_RETURN_CONSTANT = 0x06  # BPF_RET | BPF_K


@dataclass(frozen=True, slots=True)
class Held:
    """A listening TCP socket of another process. `pids` are those that may hold it."""

    pids: tuple[int, ...]
    inode: int
    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """Whether it is IPv4 or IPv6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


@dataclass(frozen=True, slots=True)
class Taken:
    """Our socket for the address: bound already if `way` is `beside`. `why_not` says what keeps
    it from that."""

    listener: socket.socket
    way: Way
    why_not: str = ""


def socket_places(pids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Where each socket of these processes is: inode → PID and descriptor."""
    return {
        inode: (pid, descriptor)
        for pid in pids
        for inode, descriptor in (socket_descriptors(pid) or {}).items()
    }


def copy_of(inode: int, places: Mapping[int, tuple[int, int]]) -> socket.socket:
    """The socket of this inode itself, through a descriptor of ours; `places` are those of
    `socket_places`. Raises OSError where it is gone or we may not have it."""
    if inode not in places:
        raise FileNotFoundError(errno.ENOENT, "the socket is gone")
    copy = socket.socket(fileno=_copy_descriptor(*places[inode]))
    if os.fstat(copy.fileno()).st_ino != inode:  # the number was given to another one meanwhile
        copy.close()
        raise FileNotFoundError(errno.ENOENT, "the socket is gone")
    return copy


def _copy_descriptor(pid: int, descriptor: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        copy = int(libc.syscall(_PIDFD_GETFD, process, descriptor, 0))
    finally:
        os.close(process)
    if copy < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.set_inheritable(copy, False)
    return copy


def why_not_beside(held: Held) -> str:
    """What keeps us from the socket itself, '' if nothing does. Changes nothing."""
    try:
        copy_of(held.inode, socket_places(held.pids)).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def take(held: Held) -> Taken:
    """A socket of ours for the same address, which does not listen yet."""
    listener = socket.socket(held.family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with copy_of(held.inode, socket_places(held.pids)) as engine_socket:
            engine_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if held.family == socket.AF_INET6:
                ipv6_only = engine_socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, ipv6_only)
        listener.bind((held.host, held.port))
    except OSError as error:
        return Taken(listener, "after", error.strerror or str(error))
    return Taken(listener, "beside")


def open_beside(listener: socket.socket) -> None:
    """Listen, and have every new connection from now on."""
    host, port = listener.getsockname()[:2]
    own_inode = os.fstat(listener.fileno()).st_ino  # it may listen already, for a killed supervisor
    other_count = sum(
        (listening.address, listening.port) == (host, port) and listening.inode != own_inode
        for listening in tcp_listeners()
    )
    listener.listen(BACKLOG)
    prefer(listener, other_count)


def open_after(listener: socket.socket, held: Held) -> None:
    """Listen where the engine did that has ended."""
    if not listener.getsockname()[1]:
        listener.bind((held.host, held.port))
    listener.listen(BACKLOG)


def prefer(listener: socket.socket, index: int) -> None:
    """Give new connections to the socket of this place in the group, in the order in which they
    began to listen. 0 for one that is alone: whoever joins the group later gets none."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN_CONSTANT, 0, 0, index))
    option = struct.pack("HL", 1, ctypes.addressof(program))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, option)
