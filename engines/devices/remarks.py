"""What a person should know of the GPUs that an engine holds."""

from __future__ import annotations

from engines.devices.host.computing import on_cpu
from engines.engine_info import EngineInfo
from engines.held_gpus import GpuHold, imbalance, told_joined


def gpu_remarks(engine: EngineInfo) -> list[str]:
    """What is not certain of its GPUs, what is shared and what is uneven, each in a line; or why
    none is known of an engine that computes on some."""
    holding = engine.holding
    remarks = [
        f"GPU {hold.index}: {'; '.join(told)}"
        for hold in holding.holds
        if (told := [text for text in (_doubtful(hold), hold.shared) if text])
    ]
    if uneven := imbalance(holding.holds):
        remarks.append(uneven)
    if holding.why_none and engine.pid is not None and not on_cpu(engine):
        remarks.append(f"its GPUs are not known: {holding.why_none}")
    return remarks


def _doubtful(hold: GpuHold) -> str:
    return "" if hold.confidence == "certain" else told_joined(hold)
