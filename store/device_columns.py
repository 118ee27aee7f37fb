"""What is kept of a device: the columns of `device_readings` and of `card_readings`, named once.

`device_readings` tells what a run had of a device, `card_readings` what a card did, whoever held it
and also while nobody did. Both are cumulative. A gauge is kept as its time integral, with the time
in which somebody watched and it was not told beside it: a gap neither dilutes a mean nor is it 0.
`None` means that the device has not told it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CardState = Literal["ok", "unknown", "lost"]
"""Whether a card answers; `lost` where the driver says that it is gone, or no longer lists it."""

CARD_STEP_MS = 10_000
"""The rows of a card that are kept are so far apart; its newest row is always there."""


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """One cumulative row of a device (a GPU, or the host of a CPU engine) held by a run.

    `held_ms` is device-time charged to the run: wall time × the run's share of the device (a GPU
    shared by engines is split by the memory each holds). It grows also while nobody watches and
    while the device does not answer, as long as the run lives. `watched_ms` is the time between
    samples of the device: `busy_us` = ∫ utilisation dt in µs, `memory_mib_ms` = ∫ memory in use dt
    (MiB·ms), each without the part of it that is in its `*_unknown_ms`. `energy_mj` = cumulative
    millijoules, without those of `energy_unknown_ms`: that counts unwatched time, too, and alone of
    all falls again where the device's counter comes back and tells of a gap.
    """

    run_id: int
    device_id: int
    ts_ms: int
    held_ms: int
    watched_ms: int
    busy_us: int | None = None
    memory_mib_ms: int | None = None
    memory_max_mib: int | None = None
    energy_mj: int | None = None
    busy_unknown_ms: int | None = None
    memory_unknown_ms: int | None = None
    energy_unknown_ms: int | None = None


CARD_GAUGES: Mapping[str, str] = {
    "busy": "busy_us",
    "memory": "memory_mib_ms",
    "power": "power_mj",
    "limit": "limit_mj",
    "sm_clock": "sm_clock_mhz_ms",
    "memory_clock": "memory_clock_mhz_ms",
    "sm_active": "sm_active_us",
    "tensor_active": "tensor_active_us",
    "dram_active": "dram_active_us",
}
"""Gauges of a card and the columns of their integrals: shares in µs, power in mJ, the others in
their unit times milliseconds."""

CAUSES = ("power", "thermal", "hw_thermal", "power_brake", "sync_boost")
"""Why clocks are held back: the power limit, heat as the driver sees it, heat as the board does,
the board's power supply, the slowest GPU of a group."""

CARD_COUNTERS: tuple[str, ...] = (
    "energy_mj",
    *(f"throttled_{cause}_ms" for cause in CAUSES),
    "ecc_corrected",
    "ecc_uncorrected",
    "xids",
    "pcie_tx_kib",
    "pcie_rx_kib",
    "nvlink_tx_kib",
    "nvlink_rx_kib",
)
"""What a card counts by itself, from its first sample in the ledger on; a counter that begins anew
with the driver goes on here. `throttled_*_ms` is the time for which clocks were held back."""


def unknown_column(name: str) -> str:
    """The column of the watched time in which a gauge was not told; of energy, of all time."""
    return f"{name}_unknown_ms"


CARD_CUMULATIVE: tuple[str, ...] = (
    "present_ms",
    "watched_ms",
    *(
        column
        for name, integral in CARD_GAUGES.items()
        for column in (integral, unknown_column(name))
    ),
    *CARD_COUNTERS,
)
"""What only grows. `present_ms` is the time since the card was first seen, whatever its state."""

CARD_VALUES: tuple[str, ...] = (*CARD_CUMULATIVE, unknown_column("energy"))
"""What the differences of rows are taken of; the last one may fall (see `DeviceReading`)."""

CARD_MAXIMUM = "temperature_max_c"
"""The highest temperature since the row before that was kept."""

CARD_COLUMNS: tuple[str, ...] = ("device_id", "ts_ms", *CARD_VALUES, CARD_MAXIMUM)


@dataclass(frozen=True, slots=True)
class CardReading:
    """One row of a card. `values` has a key for each of `CARD_VALUES`."""

    device_id: int
    ts_ms: int
    values: Mapping[str, int | None]
    temperature_max_c: int | None = None


@dataclass(frozen=True, slots=True)
class CardNow:
    """How a card stands: its state since `state_ms`, and what it told last, at `told_ms` (None:
    nothing yet). `index` is its place among NVML's devices, `throttle` names the causes for which
    its clocks are held back, `last_xid` is the number of the last XID.
    """

    index: str
    state: CardState = "ok"
    reason: str = ""
    told_ms: int | None = None
    busy_ppm: int | None = None
    memory_used_mib: int | None = None
    memory_total_mib: int | None = None
    power_mw: int | None = None
    limit_mw: int | None = None
    temperature_c: int | None = None
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    throttle: tuple[str, ...] = field(default=())
    last_xid: int | None = None
