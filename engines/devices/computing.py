"""Whether an engine computes on the host's CPU."""

from __future__ import annotations

import re

from engines.engine_info import EngineInfo
from engines.host import procfs

NVML_DEADLINE_S = 0.5
_ACCELERATORS = re.compile(
    rb"/lib(cuda|cudart|nvidia-ml|amdhip64|hsa-runtime64|tpu|ze_loader|sycl|ascendcl)[.\-]"
)
_EXTENSION = re.compile(rb"/vllm/_C[\w.]*\.so")
"""vLLM's compiled part, which every build loads."""


def on_cpu(engine: EngineInfo) -> bool:
    """Whether a local engine is known to compute on the CPU: its version says that it is vLLM's CPU
    build, or its processes have vLLM's compiled part loaded and no accelerator's library.

    That no GPU answers is no proof: a driver that does not start, or that cannot be reached from
    here, would turn the most expensive engine into the cheapest.
    """
    return bool(seen_on_cpu(engine))


def seen_on_cpu(engine: EngineInfo) -> bool | None:
    """The same; None where it is not seen: the engine loads its libraries still, or we may not look
    into its processes. Looks through /proc: for a thread, and not each second."""
    if "cpu" in (engine.vllm_version or ""):
        return True
    return None if engine.pid is None else _build_of(engine.pid)


def _build_of(pid: int) -> bool | None:
    """Whether the processes of an engine are of vLLM's CPU build; None where it is not seen yet."""
    has_extension = False
    for each in (pid, *procfs.pids_below(pid)):
        for line in procfs.read_lines(f"/proc/{each}/maps"):
            if _ACCELERATORS.search(line):
                return False
            has_extension = has_extension or _EXTENSION.search(line) is not None
    return True if has_extension else None
