"""The port of a new engine: to choose it is to listen on it."""

from __future__ import annotations

import socket

from engines.command_line.arguments import DEFAULT_PORT
from store.errors import NotAchieved
from store.foreign_text import printable

BACKLOG = 4096
"""Connections that wait while no engine accepts; the kernel may hold it lower (somaxconn)."""

_PORTS_TRIED = 100


def take_port(host: str, asked_port: int | None) -> socket.socket:
    """A listening socket on the port asked for, else on the first free one from 8000 up.

    A port that was only found to be free may be another's a moment later. Raises `NotAchieved`
    where the port asked for, or every one that was tried, cannot be had.
    """
    if asked_port is not None:
        listener = _listening(host, asked_port)
        if listener is None:
            raise NotAchieved(
                f"port {asked_port} of {printable(host)} is taken or not ours to use",
                "",
                "leave out --port to get a free one",
            )
        return listener
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        listener = _listening(host, port)
        if listener is not None:
            return listener
    raise NotAchieved(f"no port from {DEFAULT_PORT} up is free", "", "give one with --port")


def _listening(host: str, port: int) -> socket.socket | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        return None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        return None
    return listener
