"""How a keeper comes to the address of its engine, as one line of JSON."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass

from engines.launch.launch import Launch
from engines.supervisor.takeover.conditions import Conditions, conditions_from_json
from engines.supervisor.takeover.sockets import take
from engines.supervisor.takeover.takeover import Adoption, Takeover, takeover_from_json


@dataclass(frozen=True, slots=True)
class Beginning:
    """`conditions` are those that an engine which runs already was started under, None for one that
    is to be started. The address comes by `descriptor`, which the keeper inherits, or by a
    `takeover`."""

    conditions: Conditions | None
    descriptor: int | None = None
    takeover: Takeover | None = None

    def to_line(self) -> str:
        """One line of JSON, undecodable bytes of the environment and all."""
        return json.dumps(asdict(self)) + "\n"

    def take_on(self, launch: Launch) -> tuple[socket.socket, Adoption | None]:
        """The address, and the takeover for `launch` that is to come, in the keeper's process."""
        if self.conditions is not None:
            self.conditions.apply()
        if self.takeover is not None:
            taken = take(self.takeover.held)
            return taken.listener, Adoption(self.takeover, taken, launch)
        assert self.descriptor is not None
        listener = socket.socket(fileno=self.descriptor)
        listener.set_inheritable(False)
        return listener, None


def beginning_from_line(line: str) -> Beginning:
    """What `to_line` wrote."""
    told = json.loads(line)
    conditions, takeover = told["conditions"], told["takeover"]
    return Beginning(
        None if conditions is None else conditions_from_json(conditions),
        told["descriptor"],
        None if takeover is None else takeover_from_json(takeover),
    )
