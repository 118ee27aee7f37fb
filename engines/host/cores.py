"""The cores that a CPU engine's worker is bound to, and others for a second one.

A worker spins while it waits, so two engines on the same cores starve each other: a start beside
a busy engine was given 2 % of a core, and failed after minutes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from engines.host.procfs import read_text

BIND = "VLLM_CPU_OMP_THREADS_BIND"
CHOSEN = "TRIMTAB_CHOSE_CORES"
"""The cores that we have chosen, in the environment of an engine that is bound to them: where
another binding stands beside it, that is the user's."""


def binding(cores: Sequence[int]) -> dict[str, str]:
    """The variables that bind an engine to these cores, of our own choice."""
    listed = ",".join(map(str, cores))
    return {BIND: listed, CHOSEN: listed}


def is_ours(environ: Mapping[str, str]) -> bool:
    """Whether the engine is bound, and by our choice."""
    return BIND in environ and environ.get(CHOSEN) == environ[BIND]


def available_cores(pid: int = 0) -> list[int]:
    """The cores that a process may use; ours where it has ended, or for 0."""
    try:
        return sorted(os.sched_getaffinity(pid))
    except OSError:
        return sorted(os.sched_getaffinity(0))


def choose_cores(available: Sequence[int], used_cores: AbstractSet[int]) -> tuple[int, ...]:
    """The cores to bind a CPU engine's worker to: half of them, the upper ones first.

    The host would have none left for anything else. A second engine gets the other half.
    """
    half_count = max(1, len(available) // 2)
    upper, lower = available[-half_count:], available[:half_count]
    return tuple(lower if used_cores & set(upper) and not used_cores & set(lower) else upper)


def why_not_beside(
    running: Mapping[str, str], variant: Mapping[str, str], available: Sequence[int]
) -> str:
    """Why an engine with the environment `running` leaves no cores for one whose own variables are
    those of the `variant`, '' if it does.

    One that is not bound at all is not judged: who shares what is up to the scheduler.
    """
    bound = running.get(BIND, "")
    if not bound or bound in ("auto", "all", "nobind") or variant.get(BIND, bound) != bound:
        return ""
    if not is_ours(running):
        return f"both would be bound to the same cores ({BIND}={bound})"
    used = {int(core) for core in bound.split(",") if core.isdecimal()}
    if used.isdisjoint(choose_cores(available, used)):
        return ""
    return f"there are no cores but those of the running engine ({bound})"


def lacks_avx512() -> bool:
    """Whether this is an x86 CPU without AVX-512; False where the kernel does not tell its flags
    so, as on ARM."""
    for line in (read_text("/proc/cpuinfo") or "").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return "avx512f" not in flags.split()
    return False
