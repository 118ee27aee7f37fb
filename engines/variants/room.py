"""How much memory is free where an engine computes, now and once it has stopped."""

from __future__ import annotations

from dataclasses import dataclass

from engines.devices import gpus
from engines.devices.computing import on_cpu
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
    no_rooms: list[Room] = []
    rooms = gpus.within(NVML_DEADLINE_S, lambda: _gpus(pid), no_rooms)
    if rooms or not on_cpu(engine):
        return rooms
    host = host_memory(pid)
    return [Room("host", host.total, host.available, private_bytes(pid))]


def _gpus(pid: int) -> list[Room]:
    rooms = []
    for hold in gpus.devices_of(pid).holds:
        sample = gpus.sample(hold.device.uuid)
        free = (
            None
            if sample.memory_total is None or sample.memory_used is None
            else sample.memory_total - sample.memory_used
        )
        held_bytes = None if hold.memory_mib is None else hold.memory_mib * MIB
        rooms.append(Room(f"gpu {hold.index}", sample.memory_total, free, held_bytes))
    return rooms
