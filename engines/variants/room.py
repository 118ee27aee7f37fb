"""How much memory is free where an engine computes, now and once it has stopped."""

from __future__ import annotations

from dataclasses import dataclass

from engines.devices import gpus
from engines.devices.host.computing import on_cpu
from engines.devices.joining.holding import Asked
from engines.engine_info import EngineInfo
from engines.host.memory import host_memory, private_bytes

NVML_DEADLINE_S = 3.0
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """One device's memory in bytes. `held` is the running engine's, which its end sets free.

    None is unknown: NVML does not tell, or hides what a process holds.
    """

    device: str
    total: int | None
    free: int | None
    held: int | None

    @property
    def free_after_stop(self) -> int | None:
        """Free once the engine has ended."""
        if self.free is None or self.held is None:
            return None
        return (
            self.free + self.held if self.total is None else min(self.total, self.free + self.held)
        )


def room_of(engine: EngineInfo) -> list[Room]:
    """The GPUs a local engine holds, or the host where it computes on the CPU; [] where neither is
    known. May take `NVML_DEADLINE_S`."""
    if engine.pid is None:
        return []
    pid = engine.pid
    rooms = _gpus(pid)
    if rooms or not on_cpu(engine):
        return rooms
    host = host_memory(pid)
    return [Room("host", host.total, host.available, private_bytes(pid))]


def _gpus(pid: int) -> list[Room]:
    rooms = []
    cards = gpus.look(NVML_DEADLINE_S)
    samples = {card.gpu.uuid: card.sample for card in cards if card.state == "ok"}
    for hold in gpus.holds([Asked(pid)], cards)[0].holds:
        sample = samples.get(hold.device.uuid)
        total = None if sample is None else sample.memory_total
        used = None if sample is None else sample.memory_used
        free = None if total is None or used is None else total - used
        held_bytes = None if hold.memory_mib is None else hold.memory_mib * MIB
        rooms.append(Room(f"gpu {hold.index}", total, free, held_bytes))
    return rooms
