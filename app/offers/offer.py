"""What an engine could be swapped to, as a person weighs it: plain values, secrets hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from store.metrics.formats import MISSING, format_bytes

if TYPE_CHECKING:
    from engines.variants.strategy import Strategy
    from engines.variants.variant import Variant
    from store.compare.overlap_cost import TrafficKept
    from store.tables.starts import TimeLeft


@dataclass(frozen=True, slots=True)
class Files:
    """What a model's files tell; `dtype` is the type that the engine computes in. Unknown is
    None."""

    model: str
    on_disk: int | None = None
    quantisation: str | None = None
    dtype: str | None = None
    architecture: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """What a variant needs of one device and what is free there, in bytes; unknown is None."""

    device: str = ""
    weights: int | None = None
    needed: int | None = None
    free: int | None = None
    free_after_stop: int | None = None
    verdict: str = "unknown"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """How long earlier starts took, beside a running engine and alone, and earlier verifications,
    and what earlier overlaps left of the traffic; None where there is nothing to learn from."""

    beside: TimeLeft | None = None
    alone: TimeLeft | None = None
    verification: TimeLeft | None = None
    traffic_kept: TrafficKept | None = None

    def start(self, strategy: str) -> TimeLeft | None:
        """That of a swap by this strategy."""
        return self.beside if strategy == "overlap" else self.alone


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant. `command` is what would follow `vllm serve`; `strategy` what `auto` comes to;
    `back` says that it is what served before the last swap, taken as it was.

    `variant` is the very thing that would be started; it may hold secrets. `planned_on` stands for
    the engine that this was weighed against (`SupervisorStatus.launch_id`), '' for one without a
    supervisor.
    """

    name: str
    origin: str
    note: str
    files: Files
    room: Room
    strategy: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    expected: Expected = Expected()
    back: bool = False
    variant: Variant | None = field(default=None, repr=False)
    planned_on: str = ""

    def strategy_for(self, asked: str) -> str:
        """What the strategy that was asked for comes to."""
        return self.strategy if asked == "auto" else asked

    @property
    def started_with(self) -> str:
        """The model and the arguments of its own, in one line."""
        return " ".join((self.files.model, *self.arguments))

    def to_json(self) -> Mapping[str, object]:
        """As scripts read it: sizes in bytes."""
        return {
            "name": self.name,
            "origin": self.origin,
            "note": self.note,
            "model": self.files.model,
            "arguments": list(self.arguments),
            "environment": dict(self.environment),
            "command": list(self.command),
            "weights_on_disk": self.files.on_disk,
            "quantisation": self.files.quantisation,
            "dtype": self.files.dtype,
            "architecture": self.files.architecture,
            "device": self.room.device,
            "weights_bytes": self.room.weights,
            "memory_bytes": self.room.needed,
            "free_bytes": self.room.free,
            "free_after_stop_bytes": self.room.free_after_stop,
            "verdict": self.room.verdict,
            "reason": self.room.reason,
            "strategy": self.strategy,
        }


@dataclass(frozen=True, slots=True)
class Offers:
    """The engine as it runs, what it could become, and why that cannot be done now ('': it can)."""

    running: Files
    found: tuple[Offer, ...]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A swap to what `offer` shows, as it was confirmed."""

    offer: Offer
    strategy: Strategy = "auto"
    keep: bool = False
    why: str = ""


def size_text(amount: int | None) -> str:
    """An amount of memory, – where it is not known."""
    return MISSING if amount is None else format_bytes(amount)
