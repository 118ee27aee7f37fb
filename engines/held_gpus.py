"""The GPUs that an engine holds, how that is known, and with whom they are shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from store.records import Device

By = Literal["pid", "ray", "setting", "environment"]
"""How it is known that an engine holds a GPU: the driver names its process; or that of a worker
which Ray started for it; a person said so; its CUDA_VISIBLE_DEVICES."""

Confidence = Literal["certain", "stated", "likely"]
"""How far that is believed: measured; as a person said; inferred."""


_UNEVEN = 1.15
_LEAST_MIB = 1024
"""From which ratio and from how much on it is told that GPUs do not hold alike."""


@dataclass(frozen=True, slots=True)
class Rank:
    """One process of an engine on a GPU. `label` is its title (`Worker_TP0`), `memory_mib` what it
    holds there, None where the driver does not tell."""

    label: str
    pid: int
    memory_mib: int | None


@dataclass(frozen=True, slots=True)
class GpuHold:
    """A GPU, or a MIG slice of one, that an engine computes on. `share` is the engine's part of it
    (0..1), `memory_mib` what it holds of the memory (None where the driver hides it), `index` the
    GPU's number. `shared` says with whom and by what it is shared, '' where it is the engine's
    alone. `ranks` are its processes there, as far as they are seen.
    """

    device: Device
    share: float
    memory_mib: int | None
    index: str
    by: By = "pid"
    confidence: Confidence = "certain"
    shared: str = ""
    ranks: tuple[Rank, ...] = ()


_TOLD: Mapping[By, str] = {
    "pid": "the driver names its process",
    "ray": "a worker that Ray started for it",
    "setting": "as you said",
    "environment": "by its CUDA_VISIBLE_DEVICES",
}


def told_joined(hold: GpuHold) -> str:
    """How it is known that an engine holds a GPU, and how surely, in words."""
    return f"{hold.confidence}: {_TOLD[hold.by]}"


@dataclass(frozen=True, slots=True)
class Holding:
    """The GPUs that one engine holds; `why_none` says why none is known, and what to do."""

    holds: tuple[GpuHold, ...] = ()
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class StatedGpus:
    """What a person said that engines hold: a list of GPUs by an engine's name or address, under ''
    for whichever engine is meant."""

    by_engine: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, url: str) -> str:
        """The list for one engine; '' where nothing was said of it."""
        for key in (url, name, ""):
            if key in self.by_engine:
                return self.by_engine[key] or "none"
        return ""


NOTHING_STATED = StatedGpus()


def imbalance(holds: tuple[GpuHold, ...]) -> str:
    """What is told where the GPUs of one engine do not hold alike; '' where they do, or where it is
    not known. Ranks of one group hold equal parts of the weights and of the KV cache."""
    known = [hold for hold in holds if hold.memory_mib is not None]
    if len(known) < 2:
        return ""
    least = min(known, key=lambda hold: hold.memory_mib or 0)
    most = max(known, key=lambda hold: hold.memory_mib or 0)
    least_mib, most_mib = least.memory_mib or 0, most.memory_mib or 0
    if most_mib - least_mib < _LEAST_MIB or most_mib < _UNEVEN * least_mib:
        return ""
    return (
        f"its GPUs do not hold alike: {_named(most)} {most_mib / 1024:.1f} GiB, "
        f"{_named(least)} {least_mib / 1024:.1f} GiB"
    )


def _named(hold: GpuHold) -> str:
    ranks = ", ".join(rank.label for rank in hold.ranks if rank.label)
    return f"GPU {hold.index}{ranks and f' ({ranks})'}"
