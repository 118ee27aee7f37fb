"""Who listens at one address: asked of the kernel for that address alone.

Other users of the host decide how long the table of all listening sockets is, and reading a long
one takes as long as a whole command. This question costs the same however many there are.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

from engines.host.listeners import TcpListener, decoded_address

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_ANY_COOKIE = b"\xff" * 8
_LISTEN_STATE = 10
_HEADER = struct.Struct("=IHHII")
_ANSWER = struct.Struct("=BBBB HH 16s 16s I 8s I I I I I".replace(" ", ""))
_LONGEST_ANSWER = 8192
DEADLINE_S = 1.0


def listener_at(address: str, port: int) -> TcpListener | None:
    """The TCP socket of our own network that takes connections to an address (of numbers).

    None where nobody does, and where this kernel does not answer: `tcp_listeners` tells then.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = ip_address(address).packed.ljust(16, b"\0")
    # linux/inet_diag.h: ports in network order, the other end unknown, on any interface.
    at = struct.pack("!HH", port, 0) + packed + bytes(16) + struct.pack("=I", 0) + _ANY_COOKIE
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN_STATE) + at
    header = _HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
            kernel.settimeout(DEADLINE_S)
            kernel.sendto(header + request, (0, 0))
            return _read(kernel.recv(_LONGEST_ANSWER))
    except OSError:
        return None


def _read(answer: bytes) -> TcpListener | None:
    """An answer that is no socket (an error: nobody listens) is None."""
    if len(answer) < _HEADER.size + _ANSWER.size:
        return None
    if _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    fields = _ANSWER.unpack_from(answer, _HEADER.size)
    family, state, source, user_id, inode = fields[0], fields[1], fields[6], *fields[-2:]
    if state != _LISTEN_STATE:
        return None
    raw = source[:4] if family == socket.AF_INET else source
    port = int.from_bytes(answer[_HEADER.size + 4 : _HEADER.size + 6], "big")
    return TcpListener(decoded_address(raw), port, user_id, inode)
