"""The GPUs of this machine: what each does, and which engine holds it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from engines.devices.holding import Asked, Card, join
from engines.devices.nvml import Gpu, GpuSample, Nvml
from engines.held_gpus import Holding

T = TypeVar("T")

_nvml = Nvml()
_asking = threading.Lock()


def gpus() -> list[Gpu]:
    """Every GPU of this machine; [] where there are none, and `why_none` says why."""
    return _nvml.gpus()


def why_none() -> str:
    """Why there are no GPUs, or what the last trouble with one was; '' where all is well."""
    return _nvml.problem


def sample(uuid: str) -> GpuSample:
    """What one GPU does at this instant. Never raises, may be slow."""
    return _nvml.sample(uuid)


def devices_of(engine_pid: int, stated: str = "") -> Holding:
    """The GPUs that an engine (by its root PID) holds now. Never raises, may be slow."""
    return holds([Asked(engine_pid, stated)])[0]


def holds(asked: Sequence[Asked]) -> list[Holding]:
    """The GPUs of several engines at once, in the order in which they are asked for."""
    if not asked:
        return []
    cards = [Card(gpu, tuple(_nvml.compute_processes(gpu))) for gpu in _nvml.gpus()]
    if not cards:
        return [Holding(why_none=why_none()) for _ in asked]
    return join(cards, asked)


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
