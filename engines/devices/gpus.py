"""Which engine holds which GPU, and how much of it.

NVML names the processes that compute on a GPU; walking their parents upward finds the engine. An
engine's share of a GPU is the memory it holds there by the memory all engines hold there; where the
driver hides the memory of one of them, they share equally. Processes that are no engine do not
count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from engines.devices.nvml import Gpu, GpuProcess, GpuSample, Nvml
from engines.host.processes import engine_of
from store.records import Device

MIB = 1 << 20
T = TypeVar("T")

_nvml = Nvml()
_asking = threading.Lock()


@dataclass(frozen=True, slots=True)
class GpuHold:
    """A GPU, or a MIG slice of one, that an engine computes on. `share` is the engine's part of it
    (0..1), `memory_mib` what it holds of the memory (None where the driver hides it), `index` the
    GPU's number."""

    device: Device
    share: float
    memory_mib: int | None
    index: str


def gpus() -> list[Gpu]:
    """Every GPU of this machine; [] where there are none, and `why_none` says why."""
    return _nvml.gpus()


def why_none() -> str:
    """Why there are no GPUs, or what the last trouble with one was; '' where all is well."""
    return _nvml.problem


def sample(uuid: str) -> GpuSample:
    """What one GPU does at this instant. Never raises, may be slow."""
    return _nvml.sample(uuid)


def devices_of(engine_pid: int) -> list[GpuHold]:
    """The GPUs that an engine (by its root PID) holds now. Never raises, may be slow."""
    return holds([engine_pid])[engine_pid]


def holds(engine_pids: Iterable[int]) -> dict[int, list[GpuHold]]:
    """The GPUs of several engines at once; every PID asked for is a key."""
    holds_by_pid: dict[int, list[GpuHold]] = {pid: [] for pid in engine_pids}
    for gpu in _nvml.gpus() if holds_by_pid else ():
        memory = _memory_by_engine(_nvml.compute_processes(gpu), holds_by_pid)
        for pid in memory.keys() & holds_by_pid.keys():
            memory_bytes = memory[pid]
            holds_by_pid[pid].append(
                GpuHold(
                    Device("gpu", gpu.uuid, gpu.name),
                    _share(pid, memory),
                    None if memory_bytes is None else memory_bytes // MIB,
                    gpu.index,
                )
            )
    return holds_by_pid


def _memory_by_engine(
    processes: Iterable[GpuProcess], roots: Iterable[int]
) -> dict[int, int | None]:
    """Bytes per engine; None for one of whose processes the driver hides the memory."""
    memory: dict[int, int | None] = {}
    for process in processes:
        engine = process.pid if process.pid in roots else engine_of(process.pid)
        if engine is None:
            continue
        bytes_before = memory.get(engine, 0)
        is_hidden = bytes_before is None or process.memory is None
        memory[engine] = None if is_hidden else (bytes_before or 0) + (process.memory or 0)
    return memory


def _share(engine: int, memory: dict[int, int | None]) -> float:
    known_sizes = [size for size in memory.values() if size is not None]
    total = sum(known_sizes)
    own_size = memory[engine]
    if len(known_sizes) < len(memory) or own_size is None or total == 0:
        return 1 / len(memory)
    return own_size / total


def within(deadline_s: float, call: Callable[[], T], fallback: T) -> T:
    """The result of NVML `call`, or `fallback` where it takes longer than `deadline_s`.

    A hung driver keeps one thread for ever, not one per call, and never the program from ending.
    """
    began = time.monotonic()
    if not _asking.acquire(timeout=deadline_s):
        return fallback
    results: list[T] = []

    def run() -> None:
        try:
            results.append(call())
        finally:
            _asking.release()

    thread = threading.Thread(target=run, name="nvml", daemon=True)
    thread.start()
    thread.join(max(0.0, began + deadline_s - time.monotonic()))
    return results[0] if results else fallback
