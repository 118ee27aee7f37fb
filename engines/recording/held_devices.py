"""The devices one engine holds, sampled: its GPUs, or the host where it computes on the CPU.

NVML and /proc are asked in a thread, NVML with a deadline: a sick driver costs device readings,
never readings of the engine. Who holds what changes rarely and is asked for every `HOLDS_EVERY_S`.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor

from engines.devices import gpus
from engines.devices.computing import NVML_DEADLINE_S, seen_on_cpu
from engines.devices.host_device import host_device
from engines.devices.nvml import GpuSample
from engines.engine_info import EngineInfo
from engines.recording.device_time import WHOLE, DeviceSample
from store.records import Device

HOLDS_EVERY_S = 5.0
_NOT_SEEN = "its process is not seen from here, so it is not known which devices it holds"


class HeldDevices:
    """Samples what one engine holds.

    `hosted_urls` are those of all engines that compute on this host's CPU: they share it equally.
    `why_unknown` says why the last samples do not tell what the engine holds, '' where they do.
    """

    def __init__(self, threads: Executor, hosted_urls: set[str]) -> None:
        self._threads = threads
        self._hosted_urls = hosted_urls
        self._host = host_device()
        self._process: tuple[int | None, int | None, str | None] | None = None
        self._on_cpu: bool | None = None
        self._looked_at = 0.0
        self._holds: list[gpus.GpuHold] = []
        self._asked_at = -HOLDS_EVERY_S
        self._pid: int | None = None
        self.why_unknown = ""

    async def sample(self, engine: EngineInfo) -> list[tuple[Device, DeviceSample]]:
        """Each device with its sample, whose `device_id` is still 0; [] for a distant engine."""
        self.why_unknown = ""
        if engine.pid is None:
            self.why_unknown = _NOT_SEEN
            return []
        if not await self._is_on_cpu(engine):
            self._hosted_urls.discard(engine.url)
            loop = asyncio.get_running_loop()
            samples = await loop.run_in_executor(self._threads, self._sample_gpus, engine.pid)
            if not samples:
                self.why_unknown = _why_no_gpu()
            return samples
        self._hosted_urls.add(engine.url)
        return [(self._host, DeviceSample(0, share_ppm=WHOLE // len(self._hosted_urls)))]

    async def _is_on_cpu(self, engine: EngineInfo) -> bool:
        """Whether the engine is known to compute on the CPU; asked until it is seen."""
        process, now = (engine.pid, engine.started_ms, engine.vllm_version), time.monotonic()
        is_another = process != self._process
        if is_another:
            self._process, self._on_cpu = process, None
        if is_another or (self._on_cpu is None and now - self._looked_at >= HOLDS_EVERY_S):
            self._looked_at = now
            loop = asyncio.get_running_loop()
            self._on_cpu = await loop.run_in_executor(self._threads, seen_on_cpu, engine)
        return bool(self._on_cpu)

    def _sample_gpus(self, pid: int) -> list[tuple[Device, DeviceSample]]:
        now = time.monotonic()
        if pid != self._pid or now - self._asked_at >= HOLDS_EVERY_S:
            self._pid, self._asked_at = pid, now
            self._holds = gpus.within(NVML_DEADLINE_S, lambda: gpus.devices_of(pid), self._holds)
        uuids = [hold.device.uuid for hold in self._holds]
        no_samples: list[GpuSample] = []
        samples = gpus.within(
            NVML_DEADLINE_S, lambda: [gpus.sample(uuid) for uuid in uuids], no_samples
        )
        return [
            (hold.device, _sample(hold, sample))
            for hold, sample in zip(self._holds, samples, strict=False)
        ]


def _why_no_gpu() -> str:
    problem = gpus.why_none()
    cause = f" ({problem})" if problem else ""
    return f"no GPU tells of a process of this engine, so it is not known which it holds{cause}"


def _sample(hold: gpus.GpuHold, gpu: GpuSample) -> DeviceSample:
    return DeviceSample(
        device_id=0,
        share_ppm=round(hold.share * WHOLE),
        busy_ppm=None if gpu.utilisation is None else round(gpu.utilisation * WHOLE),
        memory_mib=hold.memory_mib,
        energy_mj=gpu.energy_mj,
    )
