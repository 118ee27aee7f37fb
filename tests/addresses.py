"""Ports that are held while they are used, so that nobody else on this machine can get them."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def held_port(host: str = "127.0.0.1") -> Iterator[int]:
    """The number of a port where nobody listens, for as long as the block lasts.

    Nobody is given it by chance, and connections to it are refused, until a server that was told of
    it and asks for SO_REUSEADDR, as servers do, listens there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, 0))
        yield held.getsockname()[1]


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """A URL at which nobody listens, for as long as the block lasts."""
    with held_port() as port:
        yield f"http://127.0.0.1:{port}"
