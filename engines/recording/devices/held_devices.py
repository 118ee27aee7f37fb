"""The devices one engine holds, sampled: its GPUs, or the host where it computes on the CPU.

A GPU is held until its driver tells that the engine is not on it, or the engine ends: one that is
lost, or whose driver hangs, is held on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace

from engines.devices import gpus
from engines.devices.cards import Card
from engines.devices.host.computing import seen_on_cpu
from engines.devices.host.host_device import host_device
from engines.devices.joining.holding import Asked
from engines.engine_info import EngineInfo
from engines.held_gpus import GpuHold, Holding, told_joined
from engines.recording.cards.card_watch import CardWatch
from engines.recording.cards.kept_holds import tells_processes
from engines.recording.devices.device_time import WHOLE, DeviceSample
from engines.recording.devices.neighbours import Neighbours
from store.records import Device, DeviceNote

LOOK_EVERY_S = 5.0
"""So often it is looked whether an engine computes on the CPU, until it is seen."""
HELD_BY_PROCESS = "certain: it computes on this host"
_NOT_SEEN = "its process is not seen from here, so it is not known which devices it holds"
_SO_UNKNOWN = "so it is not known which GPUs this engine holds"


class HeldDevices:
    """Samples what one engine holds.

    `neighbours` are all that are recorded beside it, and split the devices with it; `cards` are
    those of this host as its recorder sees them.
    `why_unknown` says why the last samples do not tell what the engine holds, '' where they do;
    `notes` how it is known that it holds them, and with whom it shares them.
    """

    def __init__(self, threads: Executor, neighbours: Neighbours, cards: CardWatch) -> None:
        self._threads = threads
        self._neighbours = neighbours
        self._cards = cards
        self._host = host_device()
        self._process: tuple[int | None, int | None, str | None] | None = None
        self._on_cpu: bool | None = None
        self._looked_at = 0.0
        self._answered: frozenset[str] = frozenset()
        self.why_unknown = ""
        self.notes: tuple[DeviceNote, ...] = ()

    def resume(self, engine: EngineInfo, held: Mapping[Device, int]) -> None:
        """What the engine's run held when it was last recorded, with its share in parts per
        million: held still until it is seen not to be."""
        holds = [
            GpuHold(device, share_ppm / WHOLE, None, "")
            for device, share_ppm in held.items()
            if device.kind == "gpu"
        ]
        if holds:
            self._cards.holds.resume(self._asked(engine), holds)
            self._neighbours.gpus.look_anew()

    async def sample(self, engine: EngineInfo) -> list[tuple[Device, DeviceSample]]:
        """Each device with its sample, whose `device_id` is still 0; [] for a distant engine."""
        self.why_unknown, self.notes = "", ()
        asked = self._asked(engine)
        self._neighbours.asked_by_url[engine.url] = asked
        if asked.pid is None and not asked.stated:
            self.why_unknown = _NOT_SEEN
            return []
        if await self._is_on_cpu(engine):
            return await self._sample_host(asked.pid)
        await self._cards.ready()
        return await self._sample_gpus(engine, asked)

    def forget(self, engine: EngineInfo) -> None:
        """The engine has ended: it holds nothing that others would have to share with it."""
        self._neighbours.asked_by_url.pop(engine.url, None)
        self._cards.held.pop(engine.url, None)
        self._cards.holds.forget(self._asked(engine))

    def _asked(self, engine: EngineInfo) -> Asked:
        return Asked(engine.pid, self._neighbours.stated.of(engine.name, engine.url))

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
        if is_another or (self._on_cpu is None and now - self._looked_at >= LOOK_EVERY_S):
            self._looked_at = now
            loop = asyncio.get_running_loop()
            self._on_cpu = await loop.run_in_executor(self._threads, seen_on_cpu, engine)
        return bool(self._on_cpu)

    async def _sample_gpus(
        self, engine: EngineInfo, asked: Asked
    ) -> list[tuple[Device, DeviceSample]]:
        cards = {card.gpu.uuid: card for card in self._cards.seen()}
        answering = frozenset(uuid for uuid, card in cards.items() if tells_processes(card))
        if answering - self._answered:
            self._neighbours.gpus.look_anew()
        self._answered = answering
        loop = asyncio.get_running_loop()
        holding, held, held_at_us = await loop.run_in_executor(self._threads, self._hold_now, asked)
        self._cards.held[engine.url] = tuple(hold.device.uuid for hold in holding.holds)
        self.why_unknown = _why_unknown(holding, cards)
        self.notes = tuple(
            DeviceNote(hold.device.uuid, told_joined(hold), hold.shared) for hold in holding.holds
        )
        return [
            (
                hold.device,
                replace(
                    _sample(hold, cards.get(hold.device.uuid)),
                    held_ppm_us=held[hold.device.uuid],
                    held_at_us=held_at_us,
                ),
            )
            for hold in holding.holds
        ]

    def _hold_now(self, asked: Asked) -> tuple[Holding, Mapping[str, int], int]:
        everyone = list(self._neighbours.asked_by_url.values())
        now_us = time.monotonic_ns() // 1_000
        holding, held = self._neighbours.gpus.of(asked, everyone, self._cards.holds.look, now_us)
        return holding, held, now_us


def _why_unknown(holding: Holding, cards: Mapping[str, Card]) -> str:
    held = {hold.device.uuid for hold in holding.holds}
    for uuid, card in cards.items():
        # A process list that never came may be the one that names the engine.
        if card.sample is None and card.state != "lost" and uuid not in held:
            why = card.reason or "it has not answered yet"
            return f"GPU {card.gpu.index} does not tell its processes ({why}), {_SO_UNKNOWN}"
    if held:
        return ""
    if not cards:
        return f"{gpus.why_none()}, {_SO_UNKNOWN}"
    return holding.why_none or f"no GPU tells of a process of this engine, {_SO_UNKNOWN}"


def _sample(hold: GpuHold, card: Card | None) -> DeviceSample:
    held = DeviceSample(0, share_ppm=round(hold.share * WHOLE))
    gpu = None if card is None else card.sample
    if gpu is None:
        return replace(held, is_told=False)
    return replace(
        held,
        busy_ppm=None if gpu.utilisation is None else round(gpu.utilisation * WHOLE),
        memory_mib=hold.memory_mib,
        energy_mj=gpu.energy_mj,
        power_mw=gpu.power_mw,
        at_us=gpu.at_us,
    )
