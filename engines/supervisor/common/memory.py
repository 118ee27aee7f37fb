"""What must outlive a supervisor that is killed: its keeper holds it, and starts the next with it.

It goes over pipes only and is never written down: launches carry keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, assert_never

from engines.launch.launch import Launch
from engines.supervisor_client.swap_order import Order, order_from_json

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is under way."""


@dataclass(frozen=True, slots=True)
class InSwap:
    """A swap runs; `taken_over` once its new engine has."""

    order: Order
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class InStop:
    """The engine is being stopped; running requests may take `drain_s` seconds. `swap` is what was
    not finished when that began."""

    drain_s: float
    swap: InSwap | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """An adoption was given up: this process of the old command runs by itself again."""

    pid: int
    start_ticks: int


UnderWay = Settled | InSwap | InStop | GivenBack
"""What a supervisor is in the midst of, and the one after it has to finish."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The launch in force, those that finished swaps left behind (oldest first), and what is under
    way."""

    launch: Launch
    before: tuple[Launch, ...] = ()
    under_way: UnderWay = Settled()

    @property
    def swap(self) -> InSwap | None:
        """The swap that is not finished."""
        match self.under_way:
            case Settled() | GivenBack():
                return None
            case InSwap():
                return self.under_way
            case InStop():
                return self.under_way.swap
            case _:
                assert_never(self.under_way)

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
        assert self.swap is not None
        under_way = replace(self.swap, taken_over=True)
        if self.swap.order.variant is None:
            return Memory(launch, self.before[:-1], under_way)
        launch = replace(launch, swap_id=self.swap.order.id)
        return Memory(launch, (*self.before, self.launch)[-_KEPT:], under_way)

    def swap_finished(self) -> Memory:
        """When the swap has come to its end, whichever that is."""
        match self.under_way:
            case Settled() | GivenBack():
                return self
            case InSwap():
                return replace(self, under_way=Settled())
            case InStop():
                return replace(self, under_way=replace(self.under_way, swap=None))
            case _:
                assert_never(self.under_way)

    def stopping(self, drain_s: float) -> Memory:
        """When the engine is to be stopped. What was given back is nobody's to stop."""
        match self.under_way:
            case GivenBack():
                return self
            case Settled() | InSwap() | InStop():
                return replace(self, under_way=InStop(drain_s, self.swap))
            case _:
                assert_never(self.under_way)


def to_line(memory: Memory) -> str:
    """One line of JSON."""
    values = {
        "launch": asdict(memory.launch),
        "before": [asdict(launch) for launch in memory.before],
        "under_way": _under_way_json(memory.under_way),
    }
    return json.dumps(values) + "\n"


def from_line(line: str) -> Memory:
    """What `to_line` wrote."""
    written = json.loads(line)
    before = tuple(_launch(launch) for launch in written["before"])
    return Memory(_launch(written["launch"]), before, _under_way(written["under_way"]))


def _under_way_json(under_way: UnderWay) -> dict[str, Any]:
    match under_way:
        case Settled():
            return {"is": "settled"}
        case InSwap(order, taken_over):
            return {"is": "in swap", "order": order.to_json(), "taken_over": taken_over}
        case InStop(drain_s, swap):
            written = None if swap is None else _under_way_json(swap)
            return {"is": "in stop", "drain_s": drain_s, "swap": written}
        case GivenBack(pid, start_ticks):
            return {"is": "given back", "pid": pid, "start_ticks": start_ticks}
        case _:
            assert_never(under_way)


def _under_way(written: Mapping[str, Any]) -> UnderWay:
    match written["is"]:
        case "settled":
            return Settled()
        case "in swap":
            return _in_swap(written)
        case "in stop":
            swap = written["swap"]
            return InStop(written["drain_s"], None if swap is None else _in_swap(swap))
        case "given back":
            return GivenBack(written["pid"], written["start_ticks"])
        case unknown:
            raise ValueError(f"nothing that is under way: {unknown!r}")


def _in_swap(written: Mapping[str, Any]) -> InSwap:
    return InSwap(order_from_json(written["order"]), written["taken_over"])


def _launch(written: Mapping[str, Any]) -> Launch:
    tuples = {name: tuple(written[name]) for name in ("command", "address", "cores")}
    return Launch(**{**written, **tuples})
