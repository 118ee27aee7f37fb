"""What is answered on a supervisor's socket."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from engines.inside.trimtab_inside.identity import PROTOCOL
from engines.inside.trimtab_inside.protocol import BadRequest, reply_to
from engines.supervision.order import Order, order_from_json

if TYPE_CHECKING:
    from engines.supervisor.supervisor import Supervisor


class SupervisorDesk:
    """Answers for one supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._identity = {"protocol": PROTOCOL, "engine": "supervisor", "pid": os.getpid()}

    def answer(self, line: bytes, _received: float) -> tuple[bytes, tuple[int, ...]]:
        """The answer to one line; no descriptors."""
        return reply_to(line, self._identity, self._do), ()

    def tick(self) -> float | None:
        """Nothing is ever due."""
        return None

    def release(self) -> None:
        """There is nothing to give back."""

    def _do(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.get("op")
        if op == "hello":
            return {}
        if op == "status":
            return self._supervisor.status()
        if op == "stop":
            self._supervisor.ask_stop(_seconds(message.get("drain_s")))
            return {}
        if op == "swap":
            why_not = self._supervisor.ask_swap(_order(message.get("order")))
            if why_not:
                raise BadRequest("not now", why_not)
            return {}
        if op == "call off":
            if not self._supervisor.ask_call_off():
                raise BadRequest("not now", "no swap runs")
            return {}
        raise BadRequest("op", "ops are hello, status, stop, swap, call off")


def _order(found: Any) -> Order:
    try:
        return order_from_json(found)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRequest("order", f"no order: {type(error).__name__}: {error}"[:200]) from None


def _seconds(found: Any) -> float:
    number = isinstance(found, (int, float)) and not isinstance(found, bool)
    if not number or not math.isfinite(found) or found < 0:
        raise BadRequest("drain_s", "drain_s is a number of seconds")
    return float(found)
