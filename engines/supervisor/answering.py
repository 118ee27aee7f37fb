"""What is answered on a supervisor's socket."""

from __future__ import annotations

import os
from typing import Any

from engines.inside.trimtab_inside.private_socket.protocol import PROTOCOL, BadRequest, reply_to
from engines.supervisor.states.lifecycle import Lifecycle
from engines.supervisor_client.swap_order import Order, order_from_json, seconds


class SupervisorDesk:
    """Answers for one supervisor."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._identity = {"protocol": PROTOCOL, "engine": "supervisor", "pid": os.getpid()}

    def answer(self, line: bytes, _received: float) -> tuple[bytes, tuple[int, ...]]:
        """The answer to one line; no descriptors."""
        return reply_to(line, self._identity, self._handle), ()

    def tick(self) -> float | None:
        """Nothing is ever due."""
        return None

    def release(self) -> None:
        """There is nothing to give back."""

    def _handle(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.get("op")
        if op == "hello":
            return {}
        if op == "status":
            return self._lifecycle.status().to_json()
        if op == "told":
            self._lifecycle.told()
            return {}
        if op == "stop":
            self._lifecycle.ask_stop(_seconds(message.get("drain_s")))
            return {}
        if op == "swap":
            self._lifecycle.ask_swap(_order(message.get("order")))
            return {}
        if op == "call off":
            self._lifecycle.ask_call_off()
            return {}
        raise BadRequest("op", "ops are hello, status, told, stop, swap, call off")


def _order(written: Any) -> Order:
    try:
        return order_from_json(written)
    except ValueError as error:
        raise BadRequest("order", f"no order: {error}"[:200]) from None


def _seconds(value: Any) -> float:
    try:
        return seconds(value)
    except ValueError as error:
        raise BadRequest("drain_s", f"drain_s: {error}") from None
