"""How a keeper comes to the address of its engine, as one line of JSON."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass

from engines.launch.launch import Launch
from engines.supervisor.takeover.conditions import Conditions, conditions_from_json
from engines.supervisor.takeover.restart import Adoption, AdoptionOrder, order_from_json
from engines.supervisor.takeover.sockets import take


@dataclass(frozen=True, slots=True)
class Beginning:
    """`conditions` are those that an engine which runs already was started under, None for one that
    is to be started. The address comes by `descriptor`, which the keeper inherits, or from
    the engine that `order` adopts."""

    conditions: Conditions | None
    descriptor: int | None = None
    order: AdoptionOrder | None = None

    def to_line(self) -> str:
        """One line of JSON, undecodable bytes of the environment and all."""
        return json.dumps(asdict(self)) + "\n"

    def take_on(self, launch: Launch) -> tuple[socket.socket, Adoption | None]:
        """The address, and the adoption for `launch` that is to come, in the keeper's process."""
        if self.conditions is not None:
            self.conditions.apply()
        if self.order is not None:
            taken = take(self.order.held)
            return taken.listener, Adoption(self.order, taken, launch)
        assert self.descriptor is not None
        listener = socket.socket(fileno=self.descriptor)
        listener.set_inheritable(False)
        return listener, None


def beginning_from_line(line: str) -> Beginning:
    """What `to_line` wrote."""
    written = json.loads(line)
    conditions, order = written["conditions"], written["order"]
    return Beginning(
        None if conditions is None else conditions_from_json(conditions),
        written["descriptor"],
        None if order is None else order_from_json(order),
    )
