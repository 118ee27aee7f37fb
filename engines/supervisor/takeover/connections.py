"""Letting an engine finish that takes no more connections and cannot be asked to close any.

Connections that are idle end by themselves after 5 s (uvicorn), but a client that asks again and
again keeps its one. Such a connection is ended between two of its requests, which clients know
from any server that lets idle connections go. Where we may not reach into the process, the engine
is taken to have finished once it has been without a request for `REST_S` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from engines import metrics_page
from engines.host import procfs
from engines.host.listeners import socket_inodes
from engines.supervisor.takeover.sockets import Held, copy_of, socket_places
from engines.web import http
from store.errors import TrimtabError

REST_S = 1.0
SETTLE_S = 0.5
"""For how long nobody may be connected: a handshake that began before may still be under way."""
QUIET_MS = 100
"""For how long a connection must have been silent to be called idle, and a request must have run to
be sure to be counted by the engine's metrics."""
HASTY_MS = 20
"""The same for requests in the second half of the time: where many are short, hardly a moment comes
when all have run for longer, and at the end of the time all would be cut."""
_POLL_S = 0.1
_OPEN = frozenset({"01", "08"})  # ESTABLISHED, CLOSE_WAIT
_LISTEN = "0A"
_INFO_BYTES = 160
_LAST = struct.Struct("=4I")  # last_data_sent, last_ack_sent, last_data_recv, last_ack_recv
_LAST_AT = 44  # of struct tcp_info in linux/tcp.h
_SEGMENTS = struct.Struct("=2I")  # data_segs_in, data_segs_out
_SEGMENTS_AT = 152


Places = Mapping[int, tuple[int, int]]
"""Inode → PID and descriptor, of `socket_places`."""


@dataclass(frozen=True, slots=True)
class Look:
    """One connection now: milliseconds since the server last sent and last received, whether bytes
    wait to be read, and whether it is the first request that nothing was answered to yet. (Of a
    server that has sent nothing `sent_ms` is the age of the connection, which that of a request
    sent at once may equal.)"""

    sent_ms: int
    received_ms: int
    unread: bool
    unanswered: bool = False

    def owed(self, since_ms: int) -> bool:
        """Whether the client spoke last, so long ago at least: it waits for an answer."""
        last = self.unanswered or self.received_ms < self.sent_ms
        return last and self.received_ms >= since_ms

    @property
    def quiet(self) -> bool:
        """Whether the server spoke last, some time ago: no request, or a stream that pauses."""
        spoke_last = QUIET_MS <= self.sent_ms < self.received_ms
        return spoke_last and not self.unread and not self.unanswered


@dataclass(frozen=True, slots=True)
class Drained:
    """`cut` are the requests that had not ended in time; None where they could not be counted."""

    cut: int | None


def look_at(connection: socket.socket) -> Look:
    """Look without taking anything; raises OSError."""
    tcp_info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    sent, _, received, _ = _LAST.unpack_from(tcp_info, _LAST_AT)
    came, went = _SEGMENTS.unpack_from(tcp_info, _SEGMENTS_AT)
    try:
        unread = bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        unread = False
    return Look(sent, received, unread, unanswered=came > 0 and went == 0)


class Load:
    """How many requests an engine has, asked over a connection that was made before it took no
    more. A context manager; belongs to one thread without an event loop."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._fetcher = http.Fetcher(url) if url.startswith("http:") else None

    def in_flight(self) -> int | None:
        """Requests running and waiting; None where it does not tell, from then on."""
        if self._fetcher is None:
            return None
        try:
            page = self._loop.run_until_complete(self._fetcher.get("/metrics"))
            sample = metrics_page.read(page)
        except TrimtabError:
            self._end()
            return None
        return sample.in_flight or 0

    def _end(self) -> None:
        if self._fetcher is not None:
            self._loop.run_until_complete(self._fetcher.aclose())
            self._fetcher = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._loop.close()


def drain(
    held: Held,
    load: Load,
    seconds: float,
    *,
    alive: Callable[[], bool],
    tell: Callable[[str], None],
) -> Drained:
    """Wait until the engine has answered what it has, at most `seconds`."""
    deadline = time.monotonic() + seconds
    idle_since: float | None = None
    while alive():
        places = socket_places(held.pids)
        open_inodes, queued = _connections(held, places)
        look_by_inode = {
            inode: look for inode in open_inodes if (look := _look(inode, places)) is not None
        }
        in_flight = load.in_flight()
        now = time.monotonic()
        since_ms = QUIET_MS if now < deadline - seconds / 2 else HASTY_MS
        owed = sum(look.owed(since_ms) for look in look_by_inode.values())
        no_connections = not open_inodes and not queued
        if no_connections or (in_flight == 0 and not owed and not queued):
            idle_since = idle_since or now
            if now - idle_since >= (SETTLE_S if no_connections else REST_S):
                return Drained(0)
        else:
            idle_since = None
        if now >= deadline:
            return Drained(in_flight if in_flight is not None else owed if look_by_inode else None)
        if in_flight is not None and in_flight <= owed:
            # Every request is one of those that wait for their first byte: no stream is under way.
            for inode in (inode for inode, look in look_by_inode.items() if look.quiet):
                _close_if_quiet(inode, places)
        tell(f"waiting for {len(open_inodes)} connections")
        time.sleep(_POLL_S)
    return Drained(0)


def _look(inode: int, places: Places) -> Look | None:
    try:
        with copy_of(inode, places) as connection:
            return look_at(connection)
    except OSError:
        return None


def _close_if_quiet(inode: int, places: Places) -> None:
    with contextlib.suppress(OSError), copy_of(inode, places) as connection:
        if look_at(connection).quiet:
            connection.shutdown(socket.SHUT_RDWR)


def _connections(held: Held, places: Places) -> tuple[list[int], int]:
    """Inodes of the engine's connections but ours, and how many wait to be accepted."""
    rows = list(_rows(held))
    own_inodes = socket_inodes(os.getpid()) or set()
    own_ports = {local for local, _, _, inode, _ in rows if inode in own_inodes}
    open_inodes, queued = [], 0
    for local, remote, state, inode, queue in rows:
        if local != held.port:
            continue
        if state == _LISTEN and inode == held.inode:
            queued = queue
        elif state in _OPEN and inode in places and remote not in own_ports:
            open_inodes.append(inode)
    return open_inodes, queued


def _rows(held: Held) -> Iterable[tuple[int, int, str, int, int]]:
    """Local port, remote port, state, inode and receive queue of the TCP sockets of this network
    that have the engine's port at either end."""
    for table in ("tcp", "tcp6"):
        for line in procfs.read_lines(f"/proc/self/net/{table}"):
            fields = line.decode("ascii", "replace").split()
            if len(fields) < 10 or not fields[9].isdigit():
                continue
            local, remote = (int(fields[index].rpartition(":")[2], 16) for index in (1, 2))
            if held.port in (local, remote):
                queue = int(fields[4].rpartition(":")[2], 16)
                yield local, remote, fields[3], int(fields[9]), queue
