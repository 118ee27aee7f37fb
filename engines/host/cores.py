"""The cores that a CPU engine's worker is bound to, and others for a second one.

A worker spins while it waits, so two engines on the same cores starve each other: a start beside
a busy engine was given 2 % of a core, and failed after minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

BIND = "VLLM_CPU_OMP_THREADS_BIND"
CHOSEN = "TRIMTAB_CHOSE_CORES"
"""Set in the environment of an engine whose cores are ours to choose, and not the user's."""


def binding(cores: Sequence[int]) -> dict[str, str]:
    """The variables that bind an engine to these cores, of our own choice."""
    return {BIND: ",".join(map(str, cores)), CHOSEN: "1"}


def choose_cores(available: Sequence[int], used_cores: AbstractSet[int]) -> tuple[int, ...]:
    """The cores to bind a CPU engine's worker to: half of them, the upper ones first.

    The host would have none left for anything else. A second engine gets the other half.
    """
    half_count = max(1, len(available) // 2)
    upper, lower = available[-half_count:], available[:half_count]
    return tuple(lower if used_cores & set(upper) and not used_cores & set(lower) else upper)


def why_not_beside(environ: Mapping[str, str], available: Sequence[int]) -> str:
    """Why an engine with this environment leaves no cores for a second one, '' if it does.

    One that is not bound at all is not judged: who shares what is up to the scheduler.
    """
    bound = environ.get(BIND, "")
    if not bound or bound in ("auto", "all", "nobind"):
        return ""
    if CHOSEN not in environ:
        return f"both would be bound to the same cores ({BIND}={bound})"
    used = {int(core) for core in bound.split(",") if core.isdecimal()}
    if used.isdisjoint(choose_cores(available, used)):
        return ""
    return f"there are no cores but those of the running engine ({bound})"
