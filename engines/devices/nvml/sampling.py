"""One GPU at an instant: everything it tells, in as few calls as NVML allows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from engines.devices.nvml.gpm import Gpm
from engines.devices.nvml.library import FOR_GOOD, LOST, STALE, Library, NvmlFault
from engines.devices.nvml.values import Fault, Gpu, GpuProcess, GpuSample
from store.device_columns import CAUSES

ASK_AGAIN_S = 300.0
"""So often what a GPU does not have is asked for again: drivers change their mind."""
PROCESSES_EVERY_S = 5.0
"""Who computes on a GPU changes rarely."""
LIMIT_EVERY_S = 10.0

_ALL_LINKS = 0xFFFFFFFF
"""The scope of a field that means the sum over a GPU's NVLinks."""
_FIELDS: Mapping[str, int | tuple[int, int]] = {
    "energy_mj": 83,
    "ecc_corrected": 3,
    "ecc_uncorrected": 4,
    "pcie_tx_bytes": 197,
    "pcie_rx_bytes": 198,
    "nvlink_tx_kib": (138, _ALL_LINKS),
    "nvlink_rx_kib": (139, _ALL_LINKS),
    "power": 74,
    "thermal": 269,
    "hw_thermal": 270,
    "power_brake": 271,
    "sync_boost": 76,
}
"""NVML_FI_DEV_… by what we call it: counters since the driver was loaded."""

REASON_BITS: Mapping[str, int] = {
    "power": 0x04,
    "thermal": 0x20,
    "hw_thermal": 0x40,
    "power_brake": 0x80,
    "sync_boost": 0x10,
}
"""nvmlClocksEventReason… by cause."""

_SIGNED, _UNSIGNED = {4: "sllVal", 5: "siVal"}, {1: "uiVal", 2: "ulVal", 3: "ullVal", 6: "usVal"}
_VALUE_OF = {**_SIGNED, **_UNSIGNED}
"""The member of a field's union by its NVML_VALUE_TYPE; whole numbers only."""


class GpuReader:
    """Samples one GPU again and again, from one thread at a time. A field that the GPU does not
    have is asked for once and remembered."""

    def __init__(self, library: Library, gpu: Gpu) -> None:
        self.gpu = gpu
        self._library = library
        self._gpm = Gpm(library)
        self._refused: set[str] = set()
        self._processes: tuple[GpuProcess, ...] | None = None
        self._limit_mw: int | None = None
        self._asked_at: dict[str, float] = {}
        self._fault: Fault = ""
        self._problem = ""

    def read(self) -> GpuSample:
        """What the GPU does now. Never raises; as slow as the driver is."""
        self._fault, self._problem = "", ""
        if self._is_due("refused", ASK_AGAIN_S):
            self._refused.clear()
        began_us = _mono_us()
        rates = self._ask("nvmlDeviceGetUtilizationRates")
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        power = self._ask("nvmlDeviceGetPowerUsage")
        fields = self._fields()
        energy = fields.get("energy_mj")
        if energy is None:
            energy = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        at_us = (began_us + _mono_us()) // 2
        if self._is_due("limit", LIMIT_EVERY_S):
            self._limit_mw = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        temperature = self._ask("nvmlDeviceGetTemperature", 0)
        clocks = [self._ask("nvmlDeviceGetClockInfo", kind) for kind in (1, 2)]
        reasons = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if self._is_due("processes", PROCESSES_EVERY_S):
            self._processes = self._read_processes()
        activities = {} if self._is_lost() else self._gpm.read(self.gpu)
        is_silent = all(each is None for each in (rates, memory, power, energy, self._processes))
        if self._is_lost() or (is_silent and self._problem):
            self._asked_at.clear()
            fault = self._fault or "silent"
            return GpuSample(self.gpu.uuid, at_us=at_us, fault=fault, problem=self._problem)
        used, total = self._memory(memory)
        return GpuSample(
            self.gpu.uuid,
            utilisation=None if rates is None else min(rates.gpu / 100, 1.0),
            memory_used=used,
            memory_total=total,
            energy_mj=energy,
            power_mw=power,
            limit_mw=self._limit_mw,
            temperature_c=temperature,
            sm_mhz=clocks[0],
            memory_mhz=clocks[1],
            reasons=reasons,
            throttled_ns={cause: fields[cause] for cause in CAUSES if cause in fields},
            ecc_corrected=fields.get("ecc_corrected"),
            ecc_uncorrected=fields.get("ecc_uncorrected"),
            pcie_tx_bytes=fields.get("pcie_tx_bytes"),
            pcie_rx_bytes=fields.get("pcie_rx_bytes"),
            nvlink_tx_bytes=_kib(fields.get("nvlink_tx_kib")),
            nvlink_rx_bytes=_kib(fields.get("nvlink_rx_kib")),
            sm_active=activities.get("sm_active"),
            tensor_active=activities.get("tensor_active"),
            dram_active=activities.get("dram_active"),
            processes=self._processes,
            at_us=at_us,
        )

    def _is_lost(self) -> bool:
        """Whether one of its calls was answered so: others may answer on, from what they kept."""
        return self._fault == "lost"

    def _memory(self, told: Any) -> tuple[int | None, int | None]:
        """Bytes used and in all. Where CPU and GPU share the memory (GB10) the GPU does not tell,
        and what its processes hold stands in for it; nor is the host's memory the GPU's."""
        if told is not None:
            return int(told.used), int(told.total)
        sizes = [process.memory for process in self._processes or ()]
        known = [size for size in sizes if size is not None]
        return (sum(known) if sizes and len(known) == len(sizes) else None), None

    def _read_processes(self) -> tuple[GpuProcess, ...] | None:
        listed = self._ask("nvmlDeviceGetComputeRunningProcesses_v3")
        if listed is None:  # drivers before 510
            listed = self._ask("nvmlDeviceGetComputeRunningProcesses_v2")
        if listed is None:
            return None
        # No process computes in no memory at all: 0 bytes are not told.
        return tuple(GpuProcess(int(each.pid), each.usedGpuMemory or None) for each in listed)

    def _fields(self) -> dict[str, int]:
        values = self._ask("nvmlDeviceGetFieldValues", list(_FIELDS.values()))
        told = {}
        for name, value in zip(_FIELDS, values or (), strict=False):
            member = _VALUE_OF.get(value.valueType)
            if value.nvmlReturn == 0 and member is not None:
                number = int(getattr(value.value, member))
                if number >= 0:
                    told[name] = number
        return told

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now - self._asked_at.get(what, -every_s) < every_s:
            return False
        self._asked_at[what] = now
        return True

    def _ask(self, function: str, *arguments: Any) -> Any:
        """One call; None where it fails, with the reason kept, the gravest first."""
        key = f"{function}{arguments}"
        if key in self._refused or self._is_lost():
            return None
        try:
            return self._library.call(function, self.gpu.handle, *arguments)
        except NvmlFault as fault:
            self._problem = str(fault)
            if fault.code in FOR_GOOD:
                self._refused.add(key)
            elif fault.code in LOST:
                self._fault = "lost"
            elif fault.code in STALE:
                self._fault = self._fault or "stale"
            return None


def _kib(value: int | None) -> int | None:
    return None if value is None else value * 1024


def _mono_us() -> int:
    return time.monotonic_ns() // 1_000
