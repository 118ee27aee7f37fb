"""The prices in force: whose price of a device comes first, and why there is none.

The order: the user's own prices, then the built-in table by NVML's product name, then, for the host
of a CPU engine, a host price. Prices are applied when a window is read, so history can be repriced.

A slice (MIG, vGPU) is a device of its own, held whole: a price that names the slice is taken as it
is, one of the whole board is multiplied by the slice's part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from store.errors import BadInput
from store.metrics.prices.names import ProductName, parse
from store.records import Device

EXAMPLE_HOST_USD_PER_HOUR = 0.10
EXAMPLE_HOST_SOURCE = "example host price, not a quote: set host_usd_per_hour"
_SETTING = "under [prices] in settings.toml"
_OTHER_MAKERS = ("AMD ", "Intel ")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per hour of one device, and where the figure comes from."""

    usd_per_hour: float
    source: str


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices in force.

    `prices` are the user's, USD per hour by a part of the product name or by UUID; `source` names
    them (the settings file). `host_usd_per_hour` prices the machine of a CPU engine; without one
    the stated example price applies, with `example_host=False` none does.
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
        product = parse(device.name)
        key = self._key_of_itself(device, product)
        if key is not None:
            return Price(self.prices[key], f"{self.source}: {key}")
        if device.kind == "host":
            return self._host_price()
        key = _longest_match(self.prices, (product.board_name, product.whole_name))
        if key is not None:
            return _part_of(self.prices[key], f"{self.source}: {key}", product.part)
        listed = product.board.price if product.board else None
        return (
            None if listed is None else _part_of(listed.usd_per_hour, listed.source, product.part)
        )

    def why_unpriced(self, device: Device) -> str:
        """Why a device has no price, and what to set; '' where it has one."""
        if self.price_of(device) is not None:
            return ""
        if device.kind == "host":
            return "no price for this host: set host_usd_per_hour in settings.toml"
        product, name = parse(device.name), device.name or device.uuid
        key = name.removeprefix("NVIDIA ")
        if product.profile and product.part is not None:
            whole = f'"{product.board_name}" (the whole)'
            return f'no price for {name}, a slice: set "{key}" (the slice) or {whole} {_SETTING}'
        why = "" if not name.startswith(_OTHER_MAKERS) else ", which NVML does not know"
        return f'no price for {name}{why}: set "{key}" {_SETTING}'

    def _key_of_itself(self, device: Device, product: ProductName) -> str | None:
        """The user's key that means just this device: its UUID, the whole host or the slice."""
        if device.uuid in self.prices:
            return device.uuid
        if device.kind == "host":
            return _longest_match(self.prices, (device.name,))
        if not product.profile:
            return None
        named = [key for key in self.prices if _names_slice(key, product.profile)]
        return _longest_match(named, (device.name,))

    def _host_price(self) -> Price | None:
        if self.host_usd_per_hour is not None:
            return Price(self.host_usd_per_hour, f"{self.source}: host_usd_per_hour")
        if self.example_host:
            return Price(EXAMPLE_HOST_USD_PER_HOUR, EXAMPLE_HOST_SOURCE)
        return None


def _part_of(usd_per_hour: float, source: str, part: Fraction | None) -> Price | None:
    if part is None:
        return None
    return Price(usd_per_hour * float(part), source if part == 1 else f"{part} of {source}")


def _names_slice(key: str, profile: str) -> bool:
    """Whether a key means the slice and not its board: it holds the profile or a part of it."""
    return "mig" in key.casefold().split() or _at_word_edges(profile.casefold(), key.casefold())


def _longest_match(keys: Iterable[str], names: Iterable[str]) -> str | None:
    """The longest key that is a part of one of `names`, whatever the case.

    A match must start and end at a word's edge: "A10" is no part of "NVIDIA A100", "L4" none of
    "NVIDIA L40S".
    """
    folded = [name.casefold() for name in names]
    matches = [
        key for key in keys if key and any(_at_word_edges(key.casefold(), name) for name in folded)
    ]
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
