"""What a device costs an hour, and who says so.

The order: the user's own prices, then the built-in table by NVML product name, then, for the host
of a CPU engine, a host price. Prices are applied when a window is read, so history can be repriced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from store.errors import BadInput
from store.records import Device

AS_OF = "2026-02"
"""The month of the built-in table."""

BUILT_IN_USD_PER_HOUR: Mapping[str, float] = {
    "GB200": 10.50,
    "B200": 8.60,
    "GH200": 6.50,
    "H200": 6.31,
    "H100": 6.16,
    "A100": 2.70,
    "A100-SXM4-40GB": 2.75,
    "A100-PCIE-40GB": 2.75,
    "RTX PRO 6000": 2.50,
    "L40S": 2.25,
    "A10G": 1.01,
    "L4": 0.80,
    "T4": 0.53,
    "RTX 4090": 0.34,
}
"""USD per GPU-hour by a part of NVML's product name: examples of on-demand cloud list prices, not
quotes. A machine's price divided by its GPUs: CoreWeave down to the L40S but for the 40 GB A100;
AWS us-east-1 for that one (p4d), A10G (g5), L4 (g6) and T4 (g4dn); RunPod for the RTX 4090."""

BUILT_IN_SOURCE = f"built-in example of a cloud list price, as of {AS_OF}"
EXAMPLE_HOST_USD_PER_HOUR = 0.10
EXAMPLE_HOST_SOURCE = "example host price, not a quote: set host_usd_per_hour"


@dataclass(frozen=True, slots=True)
class Price:
    """USD per hour of one device, and where the figure comes from."""

    usd_per_hour: float
    source: str


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices in force.

    `prices` are the user's, USD per hour by a part of the product name; `source` names them (the
    settings file). `host_usd_per_hour` prices the machine of a CPU engine; without one the stated
    example price applies, with `example_host=False` none does.
    """

    prices: Mapping[str, float] = field(default_factory=dict)
    host_usd_per_hour: float | None = None
    source: str = "settings"
    example_host: bool = True

    def __post_init__(self) -> None:
        hosts = {} if self.host_usd_per_hour is None else {"host": self.host_usd_per_hour}
        for name, usd in {**self.prices, **hosts}.items():
            if not (math.isfinite(usd) and usd >= 0):
                raise BadInput(
                    f"the price of {name!r} is {usd}", remedy="give USD per hour, 0 or more"
                )

    def price_of(self, device: Device) -> Price | None:
        """The price of an hour of `device`, or None where nobody states one."""
        key = _longest_match(self.prices, device.name)
        if key is not None:
            return Price(self.prices[key], f"{self.source}: {key}")
        if device.kind == "host":
            return self._host_price()
        if "MIG" in device.name.split():
            return None  # a slice of a GPU: the table's price is for the whole one
        key = _longest_match(BUILT_IN_USD_PER_HOUR, device.name)
        return None if key is None else Price(BUILT_IN_USD_PER_HOUR[key], BUILT_IN_SOURCE)

    def _host_price(self) -> Price | None:
        if self.host_usd_per_hour is not None:
            return Price(self.host_usd_per_hour, f"{self.source}: host_usd_per_hour")
        if self.example_host:
            return Price(EXAMPLE_HOST_USD_PER_HOUR, EXAMPLE_HOST_SOURCE)
        return None


def _longest_match(keys: Mapping[str, float], name: str) -> str | None:
    """The longest key that is a part of `name`, whatever the case.

    A match must start and end at a word's edge: "A10" is no part of "NVIDIA A100", "L4" none of
    "NVIDIA L40S".
    """
    matches = [key for key in keys if key and _at_word_edges(key.casefold(), name.casefold())]
    return max(matches, key=len, default=None)


def _at_word_edges(part: str, whole: str) -> bool:
    start = whole.find(part)
    while start >= 0:
        before, after = whole[:start], whole[start + len(part) :]
        if not (before[-1:].isalnum() and part[0].isalnum()) and not (
            after[:1].isalnum() and part[-1].isalnum()
        ):
            return True
        start = whole.find(part, start + 1)
    return False
