"""What a swap with both engines at once cost the traffic: the share of its speed that it kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.windows.window import read_window

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.reports.swap import SwapReport

BEFORE_MS = 60_000
"""So long before a swap its traffic is measured: its own first steps disturb it already."""
_LEAST_TOKENS = 100
"""Fewer before a swap are no traffic to be slowed."""


@dataclass(frozen=True, slots=True)
class TrafficKept:
    """Output tokens per second while a new engine started beside the old one, as a share of those
    before: the lowest and highest of so many `swaps`."""

    low: float
    high: float
    swaps: int


def traffic_kept(ledger: Ledger, engine_id: int, swaps: Iterable[SwapReport]) -> TrafficKept | None:
    """What earlier overlaps of an engine tell; None where none of them had traffic."""
    shares = [
        share for swap in swaps if (share := _share_kept(ledger, engine_id, swap)) is not None
    ]
    return TrafficKept(min(shares), max(shares), len(shares)) if shares else None


def _share_kept(ledger: Ledger, engine_id: int, swap: SwapReport) -> float | None:
    start = swap.start
    if start is None or not start.beside or start.at_s is None:
        return None
    ready_s = next((line.at_s for line in swap.steps if line.step == "verify"), swap.took_s)
    if ready_s is None or ready_s <= start.at_s:
        return None
    before = _rate(ledger, engine_id, swap.ts_ms - BEFORE_MS, swap.ts_ms, _LEAST_TOKENS)
    began_ms, ready_ms = (swap.ts_ms + round(1000 * at_s) for at_s in (start.at_s, ready_s))
    meanwhile = _rate(ledger, engine_id, began_ms, ready_ms, 0)
    return None if before is None or meanwhile is None else meanwhile / before


def _rate(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int, least: int) -> float | None:
    """Output tokens per second; None where they are not known, or fewer than `least`."""
    window = read_window(ledger, engine_id, from_ms, to_ms)
    tokens = None if window is None else window.totals.get("generation_tokens")
    if window is None or tokens is None or tokens < least or window.to_ms <= window.from_ms:
        return None
    return 1000 * tokens / (window.to_ms - window.from_ms)
