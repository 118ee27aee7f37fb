"""The port of a new engine."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from engines.command.arguments import DEFAULT_PORT
from engines.serving.registry import list_serving
from store.errors import NotAchieved
from store.foreign_text import printable

_PORTS_TRIED = 100


def free_port(host: str, asked: int | None) -> int:
    """The port asked for, which must be free, else the first free one from 8000 up."""
    if asked is not None:
        if not _is_free(host, asked):
            raise NotAchieved(
                f"port {asked} of {printable(host)} is taken or not ours to use",
                "",
                "leave out --port to get a free one",
            )
        return asked
    # An engine that still loads has not opened its port yet.
    promised = {urlsplit(engine.url).port for engine in list_serving()}
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        if port not in promised and _is_free(host, port):
            return port
    raise NotAchieved(f"no port from {DEFAULT_PORT} up is free", "", "give one with --port")


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True
