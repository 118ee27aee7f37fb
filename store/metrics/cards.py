"""The cards of a host over a span, as scripts and the command line read them: a row each.

Means are over the time in which a card told the value; what it does not tell is None. A card's cost
is that of its whole time; engines have their parts of it, and what nobody held is idle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store.device_columns import CARD_GAUGES, CAUSES, unknown_column
from store.ledger.connection import Ledger
from store.metrics.cost import MS_PER_HOUR, UNKNOWN_SHARE
from store.metrics.prices import PriceBook
from store.tables.cards import Outage, outages
from store.tables.engines import list_engines
from store.windows.bill import CardTime, card_times
from store.windows.cards import CardWindow, read_cards

_KIB = 1024
_MIB = 1 << 20
_SCALES: Mapping[str, float] = {
    "busy": 1e-3,
    "memory": _MIB,
    "power": 1.0,
    "limit": 1.0,
    "sm_clock": 1.0,
    "memory_clock": 1.0,
    "sm_active": 1e-3,
    "tensor_active": 1e-3,
    "dram_active": 1e-3,
}
"""From an integral's unit by a millisecond to a share, bytes, W, MHz."""


@dataclass(frozen=True, slots=True)
class CardAccount:
    """A card over a span. `values` has the names that scripts read, in the order of display."""

    window: CardWindow | None
    time: CardTime
    values: Mapping[str, object]


def account_for_cards(
    ledger: Ledger, from_ms: int, to_ms: int, prices: PriceBook
) -> list[CardAccount]:
    """Every card that was there in the span, by host and index."""
    with ledger.consistent():
        windows = {window.card.device_id: window for window in read_cards(ledger, from_ms, to_ms)}
        names = {engine.id: engine.name for engine in list_engines(ledger)}
        times = card_times(ledger, from_ms, to_ms)
        silent = [outages(ledger, [time.card.device_id], from_ms, to_ms) for time in times]
    accounts = []
    for time, stretches in zip(times, silent, strict=True):
        window = windows.get(time.card.device_id)
        values = _values(window, time, names, prices) | {
            f"{state}_seconds": _outage_s(stretches, time, state) for state in ("lost", "unknown")
        }
        accounts.append(CardAccount(window, time, values))
    return accounts


def _values(
    window: CardWindow | None, time: CardTime, names: Mapping[int, str], prices: PriceBook
) -> dict[str, object]:
    card = time.card
    price = prices.price_of(card.device)
    per_ms = None if price is None else price.usd_per_hour / MS_PER_HOUR
    engines = {names.get(engine, str(engine)): ms / 1e3 for engine, ms in time.held_ms.items()}
    figures = _figures(window) if window is not None else {}
    return {
        "gpu": card.now.index,
        "name": card.device.name,
        "uuid": card.device.uuid,
        "state": card.now.state,
        "reason": card.now.reason,
        "engines": engines,
        "seconds": (time.to_ms - time.from_ms) / 1e3,
        "idle_seconds": time.free_ms / 1e3,
        "usd_per_hour": None if price is None else price.usd_per_hour,
        "cost_usd": None if per_ms is None else per_ms * (time.to_ms - time.from_ms),
        "idle_cost_usd": None if per_ms is None else per_ms * time.free_ms,
        "gpu_memory_total_bytes": _times(card.now.memory_total_mib, _MIB),
        **figures,
    }


def _figures(window: CardWindow) -> dict[str, object]:
    totals = window.totals
    mean = {name: _mean(totals, name) for name in CARD_GAUGES}
    seconds = (window.to_ms - window.from_ms) / 1e3
    rate = {
        name: _times(totals[f"{name}_kib"], _KIB / seconds)
        for name in ("pcie_tx", "pcie_rx", "nvlink_tx", "nvlink_rx")
    }
    return {
        "gpu_utilisation_mean": mean["busy"],
        "gpu_memory_bytes": mean["memory"],
        "power_w": mean["power"],
        "power_limit_w": mean["limit"],
        "energy_j": _energy_j(totals),
        "temperature_max_c": window.temperature_max_c,
        "sm_clock_mhz": mean["sm_clock"],
        "memory_clock_mhz": mean["memory_clock"],
        "sm_active": mean["sm_active"],
        "tensor_active": mean["tensor_active"],
        "dram_active": mean["dram_active"],
        "throttled_seconds": {
            cause: _times(totals[f"throttled_{cause}_ms"], 1e-3) for cause in CAUSES
        },
        "ecc_corrected": totals["ecc_corrected"],
        "ecc_uncorrected": totals["ecc_uncorrected"],
        "xids": totals["xids"],
        "pcie_tx_bytes_per_second": rate["pcie_tx"],
        "pcie_rx_bytes_per_second": rate["pcie_rx"],
        "nvlink_tx_bytes_per_second": rate["nvlink_tx"],
        "nvlink_rx_bytes_per_second": rate["nvlink_rx"],
    }


def _mean(totals: Mapping[str, int | None], name: str) -> float | None:
    integral, watched_ms = totals[CARD_GAUGES[name]], totals["watched_ms"]
    known_ms = (watched_ms or 0) - (totals[unknown_column(name)] or 0)
    if integral is None or known_ms <= 0:
        return None
    return integral * _SCALES[name] / known_ms


def _energy_j(totals: Mapping[str, int | None]) -> float | None:
    """None where too much of it is not known: the rest would look thrifty."""
    energy_mj, present_ms = totals["energy_mj"], totals["present_ms"] or 0
    unknown_ms = abs(totals[unknown_column("energy")] or 0)
    if energy_mj is None or unknown_ms > UNKNOWN_SHARE * present_ms:
        return None
    return energy_mj / 1e3


def _outage_s(stretches: Sequence[Outage], time: CardTime, state: str) -> float:
    """For how many seconds the card was in a state in which it does not answer."""
    return sum(
        max(0, min(each.to_ms or time.to_ms, time.to_ms) - max(each.from_ms, time.from_ms)) / 1e3
        for each in stretches
        if each.state == state
    )


def _times(value: int | None, factor: float) -> float | None:
    return None if value is None else value * factor
