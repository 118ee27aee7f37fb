"""What is answered on the socket of an API server's front."""

from __future__ import annotations

import os
from typing import Any

from ..private_socket.protocol import PROTOCOL, BadRequest, reply_to
from .front import Front


class FrontDesk:
    """Answers for one front. `listener` also gives a copy of the listening socket, so that a new
    supervisor can take over from one that was killed."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._identity = {
            "protocol": PROTOCOL,
            "engine": "front",
            "pid": os.getpid(),
            "http": front.http_path,
        }

    def answer(self, line: bytes, _received: float) -> tuple[bytes, tuple[int, ...]]:
        """The answer to one line, and the descriptors that go with it."""
        descriptors: list[int] = []
        reply = reply_to(line, self._identity, lambda message: self._handle(message, descriptors))
        return reply, tuple(descriptors)

    def tick(self) -> float | None:
        """Nothing is ever due."""
        return None

    def release(self) -> None:
        """There is nothing to give back."""

    def _handle(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        op = message.get("op")
        if op == "hello":
            return {}
        if op == "state":
            return self._front.state()
        if op == "open":
            return self._front.open()
        if op == "close":
            return self._front.close()
        if op == "listener":
            descriptors.append(self._front.listener.fileno())
            return {}
        raise BadRequest("op", "ops are hello, state, open, close, listener")
