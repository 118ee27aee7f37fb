"""How one GPU is split among all that compute on it.

Engines and jobs that are none share by the memory each holds; where the driver hides that of one of
them, equally. What is shared is said, never silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.held_gpus import Rank

_NAMED = 3
BY_MEMORY = "by memory"
EQUALLY = "equally, as the driver does not tell how much memory each holds"


@dataclass(frozen=True, slots=True)
class Holder:
    """An engine or a job on a GPU, with the bytes it holds there (None: not told) and its
    processes there."""

    is_engine: bool
    memory: int | None
    ranks: tuple[Rank, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """A GPU's holders; their shares always sum to 1."""

    holders: Mapping[object, Holder]

    def share_of(self, key: object) -> float:
        """The part of the GPU that one holder has, 0..1."""
        sizes = [holder.memory for holder in self.holders.values()]
        total = sum(size or 0 for size in sizes)
        own = self.holders[key].memory
        if own is None or None in sizes or not total:
            return 1 / len(sizes)
        return own / total

    def told_to(self, key: object) -> str:
        """With whom one holder shares the GPU and by what; '' where it has it alone."""
        others = [holder for other, holder in self.holders.items() if other != key]
        if not others:
            return ""
        engines = sum(holder.is_engine for holder in others)
        jobs = sorted({_named(holder) for holder in others if not holder.is_engine})
        names = [f"{engines} other engine{'s' if engines > 1 else ''}"] if engines else []
        names += jobs[:_NAMED]
        if len(jobs) > _NAMED:
            names.append(f"{len(jobs) - _NAMED} more")
        is_told = all(holder.memory is not None for holder in self.holders.values())
        return f"shared with {', '.join(names)}, {BY_MEMORY if is_told else EQUALLY}"


def split(holders: Mapping[object, Holder]) -> Split:
    """The GPU as its holders have it."""
    return Split(dict(holders))


def _named(holder: Holder) -> str:
    rank = holder.ranks[0]
    return f"{rank.label} (PID {rank.pid})"
