"""Whether an engine computes on the host's CPU."""

from __future__ import annotations

from engines.engine_info import EngineInfo

NVML_DEADLINE_S = 0.5


def on_cpu(engine: EngineInfo) -> bool:
    """Whether a local engine is known to compute on the CPU: vLLM's CPU build says so.

    That no GPU answers is no proof: a driver that does not start, or that cannot be reached from
    here, would turn the most expensive engine into the cheapest.
    """
    return "cpu" in (engine.vllm_version or "")
