"""The devices one engine holds, sampled: its GPUs, or the host where it computes on the CPU.

NVML and /proc are asked in a thread, NVML with a deadline: a sick driver costs device readings,
never readings of the engine. Who holds what changes rarely and is asked for every `HOLDS_EVERY_S`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Executor

from engines.devices import gpus
from engines.devices.computing import NVML_DEADLINE_S, seen_on_cpu
from engines.devices.holding import Asked
from engines.devices.host_device import host_device
from engines.devices.nvml import GpuSample
from engines.engine_info import EngineInfo
from engines.held_gpus import GpuHold, Holding, told_joined
from engines.recording.device_time import WHOLE, DeviceSample
from engines.recording.neighbours import Neighbours
from store.records import Device, DeviceNote

HOLDS_EVERY_S = 5.0
HELD_BY_PROCESS = "certain: it computes on this host"
_NOT_SEEN = "its process is not seen from here, so it is not known which devices it holds"


class HeldDevices:
    """Samples what one engine holds.

    `why_unknown` says why the last samples do not tell what the engine holds, '' where they do;
    `notes` how it is known that it holds them, and with whom it shares them.
    """

    def __init__(self, threads: Executor, neighbours: Neighbours) -> None:
        self._threads = threads
        self._neighbours = neighbours
        self._host = host_device()
        self._process: tuple[int | None, int | None, str | None] | None = None
        self._on_cpu: bool | None = None
        self._looked_at = 0.0
        self._holding = Holding()
        self.why_unknown = ""
        self.notes: tuple[DeviceNote, ...] = ()

    async def sample(self, engine: EngineInfo) -> list[tuple[Device, DeviceSample]]:
        """Each device with its sample, whose `device_id` is still 0; [] for a distant engine."""
        self.why_unknown, self.notes = "", ()
        asked = Asked(engine.pid, self._neighbours.stated.of(engine.name, engine.url))
        self._neighbours.asked_by_url[engine.url] = asked
        if asked.pid is None and not asked.stated:
            self.why_unknown = _NOT_SEEN
            return []
        if not await self._is_on_cpu(engine):
            loop = asyncio.get_running_loop()
            samples = await loop.run_in_executor(self._threads, self._sample_gpus, asked)
            if not samples:
                self.why_unknown = self._why_no_gpu()
            return samples
        return await self._sample_host(asked.pid)

    def forget(self, engine: EngineInfo) -> None:
        """The engine has ended: it holds nothing that others would have to share with it."""
        self._neighbours.asked_by_url.pop(engine.url, None)

    async def _sample_host(self, pid: int | None) -> list[tuple[Device, DeviceSample]]:
        if pid is None:
            return []
        loop = asyncio.get_running_loop()
        share = await loop.run_in_executor(self._threads, self._neighbours.host.of, pid)
        if share is None:
            return []
        self.notes = (DeviceNote(self._host.uuid, HELD_BY_PROCESS, share.shared),)
        sample = DeviceSample(0, share_ppm=share.share_ppm, held_ppm_us=share.held_ppm_us)
        return [(self._host, sample)]

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

    def _sample_gpus(self, asked: Asked) -> list[tuple[Device, DeviceSample]]:
        late: tuple[Holding, Mapping[str, int]] = (self._holding, {})
        self._holding, held = gpus.within(NVML_DEADLINE_S, lambda: self._hold_now(asked), late)
        holds = self._holding.holds
        self.notes = tuple(
            DeviceNote(hold.device.uuid, told_joined(hold), hold.shared) for hold in holds
        )
        no_samples: list[GpuSample] = []
        samples = gpus.within(
            NVML_DEADLINE_S, lambda: [gpus.sample(hold.device.uuid) for hold in holds], no_samples
        )
        return [
            (hold.device, _sample(hold, sample, held.get(hold.device.uuid)))
            for hold, sample in zip(holds, samples, strict=False)
        ]

    def _hold_now(self, asked: Asked) -> tuple[Holding, Mapping[str, int]]:
        everyone = list(self._neighbours.asked_by_url.values())
        now_us = time.monotonic_ns() // 1_000
        return self._neighbours.gpus.of(asked, everyone, gpus.holds, now_us)

    def _why_no_gpu(self) -> str:
        problem = gpus.why_none()
        if self._holding.why_none and self._holding.why_none != problem:
            return self._holding.why_none
        cause = f" ({problem})" if problem else ""
        return f"no GPU tells of a process of this engine, so it is not known which it holds{cause}"


def _sample(hold: GpuHold, gpu: GpuSample, held_ppm_us: int | None) -> DeviceSample:
    return DeviceSample(
        device_id=0,
        share_ppm=round(hold.share * WHOLE),
        busy_ppm=None if gpu.utilisation is None else round(gpu.utilisation * WHOLE),
        memory_mib=hold.memory_mib,
        energy_mj=gpu.energy_mj,
        held_ppm_us=held_ppm_us,
    )
