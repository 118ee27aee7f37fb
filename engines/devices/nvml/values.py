"""What NVML tells, as immutable values. None is what a GPU, a driver or our rights keep back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal["", "silent", "stale", "lost"]
"""Why a sample tells nothing: no answer that can be used, a handle of a driver that was loaded
anew, or a GPU that the driver says has fallen off the bus or must be reset."""

NO_NAME = "GPU of unknown name"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or one MIG slice of it. `part` is the slice's share of its GPU's memory (1.0: whole).

    `index` is its place among NVML's devices (`0`, or `0:1` for a slice). A slice has its GPU's
    handle as `parent`, and its own number among the GPU's instances.
    """

    uuid: str
    name: str
    index: str
    handle: Any = field(repr=False, compare=False)
    part: float = 1.0
    parent: Any = field(default=None, repr=False, compare=False)
    instance: int | None = None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process computing on a GPU, with the bytes it holds there (None: the driver hides it)."""

    pid: int
    memory: int | None


@dataclass(frozen=True, slots=True)
class GpuSample:
    """A GPU at one instant, `at_us` on the monotonic clock.

    `utilisation` and the `*_active` activities are 0..1, the latter means since the sample before;
    memory is in bytes, power in mW, clocks in MHz, the temperature in degrees Celsius. `reasons`
    are NVML's bits of why the clocks are held back. Counters since the driver was loaded: energy in
    mJ, `throttled_ns` by cause, ECC errors, XIDs seen by this process, bytes over PCIe and NVLink.
    `problem` says why it tells nothing, `fault` of which kind that is.
    """

    uuid: str
    utilisation: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    energy_mj: int | None = None
    power_mw: int | None = None
    limit_mw: int | None = None
    temperature_c: int | None = None
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    reasons: int | None = None
    throttled_ns: Mapping[str, int] = field(default_factory=dict)
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    xids: int | None = None
    pcie_tx_bytes: int | None = None
    pcie_rx_bytes: int | None = None
    nvlink_tx_bytes: int | None = None
    nvlink_rx_bytes: int | None = None
    sm_active: float | None = None
    tensor_active: float | None = None
    dram_active: float | None = None
    processes: tuple[GpuProcess, ...] | None = None
    at_us: int = 0
    fault: Fault = ""
    problem: str = ""
