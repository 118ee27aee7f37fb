"""What a window cost, and how its cost falls on the requests in it.

    allocated = Σ over devices of held device-hours * price
    active    = allocated * the fraction of watched time with a request in flight

Held time is already the engine's share of a device (a GPU shared by engines is split by memory).
A price that nobody states makes the cost unknown, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.metrics.prices import Price, PriceBook
from store.reading_columns import GAUGES
from store.records import Device

if TYPE_CHECKING:
    from store.windows.window import Window

MS_PER_HOUR = 3_600_000
UNKNOWN_SHARE = 0.01
"""The part of a window that may be unknown before its sums are."""


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """One device's part of a cost: hours held, the price applied, dollars (None: no price)."""

    device: Device
    hours: float
    price: Price | None
    usd: float | None


@dataclass(frozen=True, slots=True)
class WindowCost:
    """The cost of a window. Where a figure is None, `reason` says why."""

    allocated_usd: float | None
    active_usd: float | None
    active_fraction: float | None
    devices: tuple[DeviceCost, ...]
    reason: str = ""


def cost_of(window: Window, prices: PriceBook) -> WindowCost:
    """What the engine's devices cost over the window at `prices`."""
    lines = tuple(_device_costs(window, prices))
    fraction = active_fraction(window)
    unpriced = sorted({prices.why_unpriced(line.device) for line in lines if line.price is None})
    if window.devices_unknown_ms > UNKNOWN_SHARE * (window.to_ms - window.from_ms):
        reason = window.devices_unknown  # what is known of a part only would be too cheap
    elif not lines:
        reason = "no device of this engine is known"
    elif unpriced:
        reason = "; ".join(unpriced)
    else:
        allocated = math.fsum(line.usd for line in lines if line.usd is not None)
        active = None if fraction is None else allocated * fraction
        reason = "nobody watched the engine" if fraction is None else ""
        return WindowCost(allocated, active, fraction, lines, reason)
    return WindowCost(None, None, fraction, lines, reason)


def active_fraction(window: Window) -> float | None:
    """The part of the watched time with a request in flight, 0..1; None where nobody watched."""
    active, watched = window.totals.get("active_ms"), window.totals.get("watched_ms")
    unknown = window.totals.get(GAUGES["running"].unknown) or 0
    return (
        active / (watched - unknown)
        if active is not None and watched and watched > unknown
        else None
    )


def _device_costs(window: Window, prices: PriceBook) -> list[DeviceCost]:
    held_ms_by_device: dict[Device, int] = {}
    for device_window in window.devices:
        held_ms_by_device[device_window.device] = (
            held_ms_by_device.get(device_window.device, 0) + device_window.held_ms
        )
    costs = []
    for device, held_ms in held_ms_by_device.items():
        price, hours = prices.price_of(device), held_ms / MS_PER_HOUR
        usd = None if price is None else hours * price.usd_per_hour
        costs.append(DeviceCost(device, hours, price, usd))
    return costs


@dataclass(frozen=True, slots=True)
class PhaseWeights:
    """Measured engine seconds per prompt token computed (not read from the cache) and per output
    token. None where the window does not tell."""

    prefill_s_per_token: float | None
    decode_s_per_token: float | None


@dataclass(frozen=True, slots=True)
class RequestWork:
    """What one request made the engine do, in tokens."""

    computed_prompt_tokens: int
    output_tokens: int


def phase_weights(window: Window) -> PhaseWeights:
    """The window's prefill second per computed prompt token and decode second per output token.

    The phase times are those of requests that finished; the tokens all that were computed. In a
    window much longer than a request they describe the same work. How many prompt tokens were
    computed is known only where it is known how many were cached.
    """
    totals = window.totals
    prompt, cached = totals.get("prompt_tokens"), totals.get("cached_prompt_tokens")
    computed = None if prompt is None or cached is None else prompt - cached
    return PhaseWeights(
        _seconds_per_token(totals.get("prefill_us"), computed),
        _seconds_per_token(totals.get("decode_us"), totals.get("generation_tokens")),
    )


def _seconds_per_token(us: int | None, tokens: int | None) -> float | None:
    return us / 1e6 / tokens if us is not None and tokens and tokens > 0 else None


def request_shares(
    cost_usd: float, weights: PhaseWeights, requests: Sequence[RequestWork]
) -> list[float]:
    """Split a window's cost over its requests, in their order; the shares sum to `cost_usd`.

    Each weighs computed prompt tokens * prefill s/token + output tokens * decode s/token. Where a
    phase's rate is not known both count tokens alike; where nothing was computed the split is even.
    """
    if not requests:
        return []
    prefill, decode = weights.prefill_s_per_token, weights.decode_s_per_token
    if prefill is None or decode is None:
        prefill = decode = 1.0
    work = [
        prefill * request.computed_prompt_tokens + decode * request.output_tokens
        for request in requests
    ]
    total_work = math.fsum(work)
    if total_work <= 0:
        return [cost_usd / len(requests)] * len(requests)
    return [cost_usd * (share / total_work) for share in work]
