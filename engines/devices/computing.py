"""Whether an engine computes on the host's CPU."""

from __future__ import annotations

from engines.devices import gpus
from engines.devices.nvml import Gpu
from engines.engine_info import EngineInfo

NVML_DEADLINE_S = 0.5


def on_cpu(engine: EngineInfo) -> bool:
    """Whether a local engine computes on the CPU: vLLM's CPU build, or a machine without GPUs.

    May take `NVML_DEADLINE_S`.
    """
    if "cpu" in (engine.vllm_version or ""):
        return True
    no_gpus: list[Gpu] = []
    return not engine.gpus and not gpus.within(NVML_DEADLINE_S, gpus.gpus, no_gpus)
