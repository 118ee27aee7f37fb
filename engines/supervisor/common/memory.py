"""What must outlive a supervisor that is killed: its keeper holds it, and starts the next with it.

It goes over pipes only and is never written down: launches carry keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from engines.launch.launch import Launch
from engines.supervisor_client.swap_order import Order, order_from_json
from store.reports.fields import a_number

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Memory:
    """The launch in force, those that finished swaps left behind (oldest first), the order of a
    swap that runs, whether its new engine has taken over, the seconds that running requests may
    take to finish where the engine is being stopped, and the process (PID, start ticks) of the old
    command that runs by itself again where an adoption was given up."""

    launch: Launch
    before: tuple[Launch, ...] = ()
    swapping: Order | None = None
    taken_over: bool = False
    stopping_s: float | None = None
    given_back: tuple[int, int] | None = None

    @property
    def launch_id(self) -> str:
        """What a plan is made for: the launch in force and the one that a swap back goes to, whole.
        It differs once either is another, and tells nothing of what they hold."""
        launches = [
            (launch.command, launch.directory, sorted(launch.environ.items()))
            for launch in (self.launch, *self.before[-1:])
        ]
        return hashlib.sha256(json.dumps(launches).encode()).hexdigest()[:16]

    def swapped_to(self, launch: Launch) -> Memory:
        """When the swap that runs has come to `launch`."""
        assert self.swapping is not None
        if self.swapping.variant is None:
            return replace(self, launch=launch, before=self.before[:-1], taken_over=True)
        launch = replace(launch, swap_id=self.swapping.id)
        before = (*self.before, self.launch)[-_KEPT:]
        return replace(self, launch=launch, before=before, taken_over=True)


def to_line(memory: Memory) -> str:
    """One line of JSON."""
    values = {
        "launch": asdict(memory.launch),
        "before": [asdict(launch) for launch in memory.before],
        "swapping": None if memory.swapping is None else memory.swapping.to_json(),
        "taken_over": memory.taken_over,
        "stopping_s": memory.stopping_s,
        "given_back": memory.given_back,
    }
    return json.dumps(values) + "\n"


def from_line(line: str) -> Memory:
    """What `to_line` wrote."""
    written = json.loads(line)
    return Memory(
        _launch(written["launch"]),
        tuple(_launch(launch) for launch in written["before"]),
        None if written["swapping"] is None else order_from_json(written["swapping"]),
        written["taken_over"] is True,
        a_number(written.get("stopping_s")),
        None if written.get("given_back") is None else tuple(written["given_back"]),
    )


def _launch(written: Mapping[str, Any]) -> Launch:
    tuples = {name: tuple(written[name]) for name in ("command", "address", "cores")}
    return Launch(**{**written, **tuples})
