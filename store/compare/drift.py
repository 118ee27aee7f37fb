"""How much windows differ in which nothing was changed, told by the ledger's own past.

An interval out of a window's own noise says nothing of what else differs between two windows: other
users, a warmer cache, a neighbour on the machine. Where the ledger holds stretches of the engine
that nobody touched, pairs of windows as long and as far apart as those compared (placebos) tell how
much. Where it holds too few, that is said, since then nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from store.compare.conditions.workload import moved_mix, workload
from store.compare.intervals.estimate import Estimate
from store.metrics.measure import metrics
from store.metrics.specs import METRICS
from store.tables import swaps
from store.tables.changes import list_changes
from store.tables.runs import list_runs
from store.windows.window import read_window

if TYPE_CHECKING:
    from store.compare.sides.side import Side
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook

REACH_MS = 24 * 3600 * 1000
"""How far before and after the windows placebos are looked for."""

FEWEST_PAIRS = 6
"""Fewer pairs that share no time say too little."""

_MOST_PAIRS = 40
_SETTLED_MS = 30_000
"""So long after an act a stretch counts as touched."""

_BELIEVED_PAIRS = 4
"""So many pairs beforehand say that windows differ by their own noise alone."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean squares of what a metric differed by between placebos: of its logarithm and of itself;
    None where too few pairs tell it."""

    of_logarithm: float | None
    of_value: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What is known of how windows differ by themselves: out of how many `pairs` that share no
    time, each metric's spread, and the `reason` where it is not known."""

    pairs: int
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    reason: str = ""

    def widening(self, name: str, estimated: Estimate) -> float:
        """How many times as wide an interval must be as its windows' own noise makes it, at least
        1: the pairs' mean square over the variance of noise, with `_BELIEVED_PAIRS` of 1 added."""
        spread = self.spreads.get(name)
        noise = sum(estimated.variances)
        if spread is None or noise <= 0:
            return 1.0
        square = spread.of_logarithm if estimated.is_log else spread.of_value
        if square is None:
            return 1.0
        believed = _BELIEVED_PAIRS + self.pairs * square / noise
        return math.sqrt(max(1.0, believed / (_BELIEVED_PAIRS + self.pairs)))

    def to_json(self) -> dict[str, object]:
        """The drift as JSON."""
        return {"pairs": self.pairs, "known": bool(self.spreads), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class _Pair:
    """Lengths of two windows and the gap between them, in ms."""

    first_ms: int
    gap_ms: int
    second_ms: int

    @property
    def length_ms(self) -> int:
        return self.first_ms + self.gap_ms + self.second_ms


def drift_between(ledger: Ledger, a: Side, b: Side, prices: PriceBook) -> Drift | None:
    """What placebos of the two sides say; None where there is nothing to compare, or where the
    sides are of two engines or overlap, so that no pair is like them."""
    first, second = sorted((a.span, b.span), key=lambda span: (span.from_ms, span.to_ms))
    is_apart = first.to_ms <= second.from_ms
    if a.window is None or b.window is None or a.span.engine_id != b.span.engine_id or not is_apart:
        return None
    pair = _Pair(
        first.to_ms - first.from_ms, second.from_ms - first.to_ms, second.to_ms - second.from_ms
    )
    range_ms = (first.from_ms - REACH_MS, second.to_ms + REACH_MS)
    taken = [(span.from_ms, span.to_ms) for span in (first, second)]
    stretches = list(_untouched(ledger, a.span.engine_id, range_ms, taken, pair.length_ms))
    independent = sum((to_ms - from_ms) // pair.length_ms for from_ms, to_ms in stretches)
    if independent < FEWEST_PAIRS:
        return Drift(independent, reason=_unknown(independent))
    squares: dict[str, list[tuple[float | None, float | None]]] = {}
    for start_ms in _starts(stretches, pair):
        for name, differences in _differences(ledger, a.span.engine_id, start_ms, pair, prices):
            squares.setdefault(name, []).append(differences)
    spreads = {name: _spread(pairs) for name, pairs in squares.items()}
    return Drift(min(independent, _MOST_PAIRS), spreads)


def _unknown(pairs: int) -> str:
    return (
        f"drift between the windows is not known: the ledger holds {pairs} untouched pairs as long "
        f"and as far apart, {FEWEST_PAIRS} are needed; turn the knob back and forth, a snapshot "
        "each time, to tell it from the effect"
    )


def _untouched(
    ledger: Ledger,
    engine_id: int,
    range_ms: tuple[int, int],
    taken: list[tuple[int, int]],
    least_ms: int,
) -> Iterator[tuple[int, int]]:
    """Stretches of at least `least_ms` in which one process ran, nothing was changed or swapped,
    and nothing of what is `taken` lies."""
    from_ms, to_ms = range_ms
    touched = [*taken]
    for change in list_changes(ledger, engine_id, from_ms, to_ms):
        if change.took_effect or change.outcome == "put back":
            took_ms = 0 if change.took_ms is None else round(change.took_ms)
            touched.append((change.ts_ms - took_ms, change.ts_ms + _SETTLED_MS))
    touched += [
        (began, ended + _SETTLED_MS)
        for began, ended in swaps.times(ledger, engine_id, from_ms, to_ms)
    ]
    touched.sort()
    for run in list_runs(ledger, engine_id, from_ms, to_ms):
        if run.first_ms is None or run.last_ms is None:
            continue
        start_ms, end_ms = max(run.first_ms, from_ms), min(run.last_ms, to_ms)
        for first_ms, last_ms in (*touched, (end_ms, end_ms)):
            if last_ms < start_ms or first_ms > end_ms:
                continue
            if first_ms - start_ms >= least_ms:
                yield start_ms, first_ms
            start_ms = max(start_ms, last_ms)


def _starts(stretches: list[tuple[int, int]], pair: _Pair) -> Iterator[int]:
    """Where pairs begin: half a pair apart, or further where that is too many."""
    room_ms = sum(to_ms - from_ms - pair.length_ms for from_ms, to_ms in stretches)
    step_ms = max(pair.length_ms // 2, room_ms // _MOST_PAIRS, 1)
    for from_ms, to_ms in stretches:
        yield from range(from_ms, to_ms - pair.length_ms + 1, step_ms)


def _differences(
    ledger: Ledger, engine_id: int, start_ms: int, pair: _Pair, prices: PriceBook
) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """Each metric's squared difference of logarithms and of values between two placebos; nothing
    where they are of other requests."""
    middle_ms = start_ms + pair.first_ms + pair.gap_ms
    windows = (
        read_window(ledger, engine_id, start_ms, start_ms + pair.first_ms),
        read_window(ledger, engine_id, middle_ms, middle_ms + pair.second_ms),
    )
    values = [metrics(window, prices) for window in windows if window is not None]
    if len(values) < len(windows) or moved_mix(workload(*values)):
        return
    for spec in METRICS:
        before, after = values[0][spec.name], values[1][spec.name]
        if isinstance(before, int | float) and isinstance(after, int | float):
            by_log = math.log(after / before) ** 2 if before > 0 and after > 0 else None
            yield spec.name, (by_log, (after - before) ** 2)


def _spread(pairs: list[tuple[float | None, float | None]]) -> Spread:
    means = []
    for squares in zip(*pairs, strict=True):
        known = [square for square in squares if square is not None]
        means.append(sum(known) / len(known) if len(known) >= FEWEST_PAIRS else None)
    return Spread(*means)
