"""Consecutive windows of equal nominal length, for charts."""

from __future__ import annotations

from collections.abc import Iterator

from store.ledger.connection import Ledger
from store.tables.readings import Row, first_row, row_at
from store.tables.runs import read_bounds
from store.windows.window import Window, add, difference_of_rows, runs_between

GAP_MS = 10_000
"""A step whose row before it is older than this (and than a step) follows a gap: nobody watched, so
its average would be drawn as if it had been measured in that step."""


def read_steps(
    ledger: Ledger, engine_id: int, from_ms: int, to_ms: int, step_ms: int
) -> list[Window]:
    """The windows (from_ms + k·step_ms, from_ms + (k+1)·step_ms] up to `to_ms`, oldest first.

    A step in which no row came, or that follows a gap, has no window; `to_ms` of a window lies in
    its step. Reading on from where a call ended reads the new steps only.
    """
    steps: dict[int, Window] = {}
    with ledger.consistent():
        for run_id in runs_between(ledger, engine_id, from_ms, to_ms):
            bounds = read_bounds(ledger, run_id)
            for step, lower, upper in _row_pairs(ledger, run_id, from_ms, to_ms, step_ms):
                window = difference_of_rows(ledger, engine_id, lower, upper, bounds)
                steps[step] = add(steps[step], window) if step in steps else window
    return [steps[step] for step in sorted(steps)]


def _row_pairs(
    ledger: Ledger, run_id: int, from_ms: int, to_ms: int, step_ms: int
) -> Iterator[tuple[int, Row, Row]]:
    """Each step's index with the run's rows at or before its two ends, where they differ."""
    lower = row_at(ledger, run_id, from_ms)
    for step in range((to_ms - from_ms) // step_ms):
        start = from_ms + step * step_ms
        upper = row_at(ledger, run_id, start + step_ms)
        if upper is None:
            continue
        if lower is None:
            lower = first_row(ledger, run_id)
        if lower is not None and upper[1] > lower[1]:
            if start - lower[1] <= max(GAP_MS, step_ms):
                yield step, lower, upper
            lower = upper
