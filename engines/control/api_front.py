"""Client of an API server's front: whether it takes connections, and the address it takes from."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.control.channel import Channel
from engines.control.wire import strange, text, whole
from engines.inside.trimtab_inside.private_socket.sockets import place_of


@dataclass(frozen=True, slots=True)
class FrontState:
    """`connections` are those from the public address; `in_flight` of them wait for an answer."""

    accepting: bool
    connections: int
    in_flight: int


def front_path(pid: int, uid: int) -> Path:
    """Where the API server `pid` run by `uid` is asked, if a supervisor gave it its address."""
    return place_of(f"{pid}-front.sock", uid)


class Front:
    """Speaks to one API server; raises as `Channel.ask` does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._channel = Channel(path)

    def http_path(self) -> Path:
        """The Unix socket on which this very engine answers HTTP."""
        return Path(text(self._channel.ask({"op": "hello"}), "http"))

    def state(self) -> FrontState:
        """What it does now."""
        return _state(self._channel.ask({"op": "state"}))

    def open(self) -> FrontState:
        """Take connections from the public address."""
        return _state(self._channel.ask({"op": "open"}))

    def close(self) -> FrontState:
        """Take no more; what runs goes on, and is told to come back by a new connection."""
        return _state(self._channel.ask({"op": "close"}))

    def listener(self) -> socket.socket:
        """A copy of the public listening socket, for whoever is to own it from now on."""
        channel = _WithDescriptors(self._path)
        try:
            channel.ask({"op": "listener"})
            return _take_listener(channel.descriptors)
        finally:
            for descriptor in channel.descriptors:
                os.close(descriptor)


class _WithDescriptors(Channel):
    """A channel that keeps the descriptors which come with an answer, for the asker to close. The
    kernel closes those that come where nobody asks for them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.descriptors: list[int] = []

    def _receive(self, channel: socket.socket) -> bytes:
        data, descriptors, _, _ = socket.recv_fds(channel, 1 << 16, 1)
        self.descriptors += descriptors
        return data


def _take_listener(descriptors: list[int]) -> socket.socket:
    """The first of them, which is closed no more; raises ControlLost unless it is a listener."""
    try:
        listener = socket.socket(fileno=descriptors[0])
    except (IndexError, OSError):
        raise strange("listener") from None
    del descriptors[0]
    listener.set_inheritable(False)
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise strange("listener")
    return listener


def _state(reply: Mapping[str, Any]) -> FrontState:
    return FrontState(
        reply.get("accepting") is True, whole(reply, "connections"), whole(reply, "in_flight")
    )
