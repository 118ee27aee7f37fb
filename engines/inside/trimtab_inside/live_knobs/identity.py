"""Who this process is, as a client is told in `hello`."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

from ..private_socket.protocol import PROTOCOL

PLUGIN_VERSION = "0.1.0"


def identify(scheduler: Any) -> dict[str, Any]:
    """Protocol version, pid, vLLM version, EngineCore label, data-parallel rank, scheduler."""
    rank = _rank(scheduler)
    return {
        "protocol": PROTOCOL,
        "plugin": PLUGIN_VERSION,
        "pid": os.getpid(),
        "vllm_version": _vllm_version(),
        "engine": _label(rank),
        "dp_rank": rank,
        "scheduler": type(scheduler).__name__,
    }


def _rank(scheduler: Any) -> int:
    """The index among data-parallel engines: dense models keep it although their rank is 0."""
    config = getattr(getattr(scheduler, "vllm_config", None), "parallel_config", None)
    for name in ("data_parallel_index", "data_parallel_rank"):
        rank = getattr(config, name, None)
        if isinstance(rank, int):
            return rank
    return 0


def _label(rank: int) -> str:
    name = multiprocessing.current_process().name
    if name.startswith("EngineCore"):
        return name
    return f"EngineCore_DP{rank}" if rank else "EngineCore"


def _vllm_version() -> str:
    try:
        from vllm.version import __version__ as version
    except Exception:
        return "unknown"
    return str(version)
