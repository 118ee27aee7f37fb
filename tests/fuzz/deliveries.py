"""Ways in which a client sends its lines, and what it hears."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

HEAR_S = 10.0
"""Far more than an answer takes: the deadline of our own clients is asked of a sound one."""


class Clients:
    """Clients of one socket. Those that dribble stay for some cases, beside those that follow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dribbling: list[_Dribbling] = []
        self.dribbled: list[bytes] = []
        """What those that dribbled in the last case say in the end."""

    def deliver(self, chance: Random, lines: Sequence[bytes]) -> list[bytes] | None:
        """Send the lines in one of the ways; the answers, None where not all were listened to."""
        way = chance.choice(_WAYS)
        self._dribble(chance)
        try:
            return way(self, chance, b"".join(line + b"\n" for line in lines))
        except OSError:
            return None  # it was sent away, or cut off: what follows is asked of the next client

    def leave(self) -> None:
        """Those that dribble go, in the midst of it."""
        for one in self._dribbling:
            one.channel.close()
        self._dribbling.clear()

    def connect(self) -> socket.socket:
        """A new client."""
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel.settimeout(HEAR_S)
        try:
            channel.connect(str(self._path))
        except BaseException:
            channel.close()
            raise
        return channel

    def whole(self, chance: Random, data: bytes) -> list[bytes]:
        """At once, and it listens to the end."""
        with self.connect() as channel:
            channel.sendall(data)
            channel.shutdown(socket.SHUT_WR)
            return hear(channel)

    def split(self, chance: Random, data: bytes) -> list[bytes]:
        """In pieces."""
        with self.connect() as channel:
            while data:
                size = chance.choice((1, 7, 100, len(data)))
                channel.sendall(data[:size])
                data = data[size:]
                if chance.random() < 0.05:
                    time.sleep(0.001)
            channel.shutdown(socket.SHUT_WR)
            return hear(channel)

    def dying(self, chance: Random, data: bytes) -> None:
        """It is gone before it has said all, or before it has heard the answer."""
        with self.connect() as channel:
            channel.sendall(data[: chance.randint(0, len(data))])

    def deaf(self, chance: Random, data: bytes) -> None:
        """Says much and reads nothing."""
        with self.connect() as channel:
            channel.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(50):
                    channel.send(data)

    def crowd(self, chance: Random, data: bytes) -> None:
        """Many at once, each with a part."""
        with contextlib.ExitStack() as stack:
            for _ in range(chance.choice((3, 3, 8, 8, 60))):
                channel = stack.enter_context(self.connect())
                with contextlib.suppress(OSError):
                    channel.sendall(data[: chance.randint(0, len(data))])

    def descriptors(self, chance: Random, data: bytes) -> list[bytes]:
        """With open files that nobody asked for."""
        with self.connect() as channel:
            reader, writer = os.pipe()
            try:
                socket.send_fds(channel, [data], [reader, writer] * 8)
            finally:
                os.close(reader)
                os.close(writer)
            channel.shutdown(socket.SHUT_WR)
            return hear(channel)

    def slow(self, chance: Random, data: bytes) -> None:
        """A few bytes with each of the cases that follow."""
        if len(self._dribbling) < 4:
            self._dribbling.append(_Dribbling(self.connect(), data))

    def _dribble(self, chance: Random) -> None:
        self.dribbled = [one.data for one in self._dribbling]
        self._dribbling = [one for one in self._dribbling if one.goes_on(chance.randint(1, 40))]


@dataclass
class _Dribbling:
    """A slow client, and how much it has said."""

    channel: socket.socket
    data: bytes
    said: int = 0

    def goes_on(self, size: int) -> bool:
        """Say a bit more; False once it has gone, or has been sent away."""
        try:
            self.said += self.channel.send(self.data[self.said :][:size])
        except OSError:
            self.said = len(self.data)
        if self.said < len(self.data):
            return True
        self.channel.close()
        return False


def hear(channel: socket.socket) -> list[bytes]:
    """The lines that come until the other side closes."""
    received = b""
    while data := channel.recv(1 << 16):
        received += data
    return received.splitlines(keepends=True)


_Way = Callable[[Clients, Random, bytes], list[bytes] | None]
_WAYS: tuple[_Way, ...] = (
    *(Clients.whole,) * 12,
    *(Clients.split,) * 3,
    *(Clients.dying,) * 2,
    Clients.deaf,
    Clients.crowd,
    Clients.descriptors,
    Clients.slow,
)
