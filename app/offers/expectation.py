"""How long a start still takes, and what a swap will cost in waiting: with its doubt, in words.

Learned from earlier starts and verifications only. Where there were none it says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from store.tables.starts import TimeLeft, alike, time_left

if TYPE_CHECKING:
    from app.offers.offer import Expected
    from store.compare.overlap_cost import TrafficKept
    from store.ledger.connection import Ledger
    from store.reports.swap import SwapReport

UNKNOWN = "no earlier start to learn from"


def start_left(ledger: Ledger, swap: SwapReport, now_ms: int) -> TimeLeft | None:
    """What earlier starts tell of the one in a running swap; None before it began, and where there
    were none."""
    start = swap.start
    if start is None or start.model is None or start.command is None or start.at_s is None:
        return None
    earlier = alike(ledger, start.model, start.command, beside=start.beside)
    elapsed_s = (now_ms - swap.ts_ms) / 1000 - start.at_s
    return time_left(earlier, elapsed_s, start.phases)


def verified_in(swaps: Iterable[SwapReport]) -> TimeLeft | None:
    """The shortest and longest time in which earlier swaps verified; None where none got so far."""
    spans: list[float] = []
    for swap in swaps:
        began: float | None = None
        for line in swap.steps:
            if line.step == "verify" and began is None:
                began = line.at_s
            elif line.step != "verify" and began is not None:
                spans.append(line.at_s - began)
                break
    return TimeLeft(min(spans), max(spans), len(spans)) if spans else None


def seconds(low_s: float, high_s: float) -> str:
    """Two spans of time as one: 8 s, 20 to 25 s, 3 to 4 min."""
    if high_s < 120:
        low, high, unit = round(low_s), round(high_s), "s"
    else:
        low, high, unit = round(low_s / 60), round(high_s / 60), "min"
    return f"{high} {unit}" if low == high else f"{low} to {high} {unit}"


def left_text(left: TimeLeft | None) -> str:
    """What is left of a start that has begun: 8 to 12 s left, as in 3 earlier starts."""
    if left is None:
        return UNKNOWN
    if left.high_s <= 0:
        before = "the earlier start" if left.starts == 1 else f"all {left.starts} earlier starts"
        return f"longer than {before}"
    return f"{seconds(left.low_s, left.high_s)} left, as in {_starts(left)}"


def waiting_text(strategy: str, expected: Expected) -> str:
    """Who waits and for how long: from the new engine's first process until it takes over; and
    what an overlap leaves of the traffic."""
    if strategy not in ("overlap", "stop-start"):
        return "known when it begins: the supervisor looks what is free then"
    duration = _duration_text(strategy, expected)
    if strategy == "stop-start":
        return f"new connections wait{duration}"
    return f"nobody waits;{duration}; {_kept_text(expected.traffic_kept)}"


def _duration_text(strategy: str, expected: Expected) -> str:
    """With what separates it from the words before it."""
    start, checks, overlap = expected.start(strategy), expected.verification, strategy == "overlap"
    if start is None:
        return f"{'' if overlap else ';'} {_unknown_text(expected, overlap=overlap)}"
    if checks is None:
        took = f"{seconds(start.low_s, start.high_s)} ({_starts(start)})"
        if overlap:
            return f" it starts in {took}, then it is verified"
        return f" {took} and while it is verified"
    took = f"{seconds(start.low_s + checks.low_s, start.high_s + checks.high_s)}"
    return f"{' ready and verified in' if overlap else ''} {took} ({_starts(start)})"


def _unknown_text(expected: Expected, *, overlap: bool) -> str:
    """What the other strategy's starts tell is no measure, but better than nothing."""
    other = expected.alone if overlap else expected.beside
    if other is None:
        return UNKNOWN
    took = seconds(other.low_s, other.high_s)
    if overlap:
        return f"no earlier start beside a running engine (alone {took})"
    return f"no earlier start alone (beside a running engine {took})"


def _kept_text(kept: TrafficKept | None) -> str:
    if kept is None:
        return "what it slows the traffic is not known yet"
    low, high = round(100 * kept.low), round(100 * kept.high)
    share = f"{high} %" if low == high else f"{low} to {high} %"
    swaps = "1 earlier swap" if kept.swaps == 1 else f"{kept.swaps} earlier swaps"
    return f"traffic goes on at {share} of its tok/s ({swaps})"


def _starts(left: TimeLeft) -> str:
    return "1 earlier start" if left.starts == 1 else f"{left.starts} earlier starts"
