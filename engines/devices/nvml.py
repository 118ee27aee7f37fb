"""NVIDIA's management library, loaded when first asked and never in the way.

No driver, no library, no permission and no GPU are all the same to a caller: there are no GPUs, and
`Nvml.problem` says why. A field that this GPU or driver does not have is None, asked for once and
remembered. Any call may be slow or hang with a sick driver: call from a thread.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from store.foreign_text import printable

LIBRARY = "libnvidia-ml.so.1"

UNINITIALISED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
FUNCTION_NOT_FOUND = 13
_FOR_GOOD = frozenset({NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND})
_STALE = frozenset({UNINITIALISED, INVALID_ARGUMENT, NOT_FOUND})
"""Answers of a driver that was reloaded, or of a MIG slice that is no more."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or one MIG slice of it. `part` is the slice's share of its GPU's memory (1.0: whole).

    `index` is its place among NVML's devices (`0`, or `0:1` for a slice).
    """

    uuid: str
    name: str
    index: str
    handle: Any = field(repr=False, compare=False)
    part: float = 1.0


@dataclass(frozen=True, slots=True)
class GpuSample:
    """A GPU at one instant: utilisation 0..1, memory in bytes, energy since the driver was loaded
    in mJ, power in mW. None where the GPU does not tell; `problem` where it tells nothing at all.
    """

    uuid: str
    utilisation: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    energy_mj: int | None = None
    power_mw: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process computing on a GPU, with the bytes it holds there (None: the driver hides it)."""

    pid: int
    memory: int | None


class Nvml:
    """One initialised library, safe to share between threads: calls take turns."""

    def __init__(self) -> None:
        self.problem = ""
        self._lock = threading.RLock()
        self._library: Any = None
        self._gpus: dict[str, Gpu] = {}
        self._refused: set[tuple[str, str]] = set()

    def gpus(self) -> list[Gpu]:
        """Every GPU (its slices where MIG splits it); [] where there are none, `problem` says why.

        A start that failed is tried again at the next call: drivers get loaded.
        """
        with self._lock:
            if not self._gpus:
                self._start()
            return list(self._gpus.values())

    def sample(self, uuid: str) -> GpuSample:
        """What one GPU does at this instant. Never raises."""
        with self._lock:
            gpu = next((gpu for gpu in self.gpus() if gpu.uuid == uuid), None)
            if gpu is None:
                return GpuSample(uuid, problem=self.problem or "this GPU is not there")
            self.problem = ""
            rates = self._ask(gpu, "nvmlDeviceGetUtilizationRates")
            memory = self._ask(gpu, "nvmlDeviceGetMemoryInfo")
            energy = self._ask(gpu, "nvmlDeviceGetTotalEnergyConsumption")
            power = self._ask(gpu, "nvmlDeviceGetPowerUsage")
            silent = all(value is None for value in (rates, memory, energy, power))
            return GpuSample(
                uuid,
                utilisation=None if rates is None else rates.gpu / 100,
                memory_used=None if memory is None else int(memory.used),
                memory_total=None if memory is None else int(memory.total),
                energy_mj=energy,
                power_mw=power,
                problem=self.problem if silent else "",
            )

    def compute_processes(self, gpu: Gpu) -> list[GpuProcess]:
        """The processes that compute on a GPU. Never raises."""
        with self._lock:
            processes = self._ask(gpu, "nvmlDeviceGetComputeRunningProcesses_v3")
            if processes is None:  # drivers before 510
                processes = self._ask(gpu, "nvmlDeviceGetComputeRunningProcesses_v2")
            return [
                GpuProcess(int(process.pid), process.usedGpuMemory) for process in processes or ()
            ]

    def _start(self) -> None:
        self._refused.clear()
        try:
            # Far cheaper than importing pynvml on the many machines without a driver.
            ctypes.CDLL(LIBRARY)
        except OSError:
            self.problem = f"no NVIDIA driver here ({LIBRARY} cannot be loaded)"
            return
        self._library = importlib.import_module("pynvml")
        try:
            self._library.nvmlInit()
            count = self._library.nvmlDeviceGetCount()
        except self._library.NVMLError as error:
            self.problem = f"NVML does not start: {printable(str(error))}"
            return
        self.problem = "" if count else "the NVIDIA driver sees no GPU"
        for index in range(count):
            self._gpus.update((gpu.uuid, gpu) for gpu in self._devices_at(index))

    def _devices_at(self, index: int) -> Iterator[Gpu]:
        """The GPU at an index, or its MIG slices. A GPU that does not answer is left out."""
        nvml = self._library
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            slices = list(self._slices(handle))
            if not slices:
                yield self._describe(handle, str(index))
                return
            total = nvml.nvmlDeviceGetMemoryInfo(handle).total
            for slice_index, slice_handle in enumerate(slices):
                share = nvml.nvmlDeviceGetMemoryInfo(slice_handle).total / total if total else 1.0
                yield self._describe(slice_handle, f"{index}:{slice_index}", share)
        except nvml.NVMLError as error:
            self.problem = f"GPU {index}: {printable(str(error))}"

    def _describe(self, handle: Any, index: str, part: float = 1.0) -> Gpu:
        uuid = self._library.nvmlDeviceGetUUID(handle)
        name = self._library.nvmlDeviceGetName(handle)
        return Gpu(printable(uuid), printable(name), index, handle, part)

    def _slices(self, handle: Any) -> Iterator[Any]:
        nvml = self._library
        try:
            enabled, _ = nvml.nvmlDeviceGetMigMode(handle)
            count = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if enabled else 0
        except nvml.NVMLError:
            return  # no MIG on this GPU
        for slice_index in range(count):
            try:
                yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slice_index)
            except nvml.NVMLError:
                continue  # a place without a slice

    def _ask(self, gpu: Gpu, function: str) -> Any:
        """One NVML call on one GPU; None where it fails, with `problem` told."""
        if (gpu.uuid, function) in self._refused:
            return None
        try:
            return getattr(self._library, function)(gpu.handle)
        except self._library.NVMLError as error:
            self.problem = f"GPU {gpu.index}: {printable(str(error))}"
            if error.value in _FOR_GOOD:
                self._refused.add((gpu.uuid, function))
            elif error.value in _STALE:
                self._gpus = {}
            return None
