"""Windows: the exact difference of two rows per run, summed over the runs of an engine.

Two look-ups per run, and one small row per minute for the maxima, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from store.ledger.connection import Ledger
from store.reading_columns import BUCKET_SLOTS, CUMULATIVE_VALUES, HISTOGRAMS, VALUE_COLUMNS
from store.tables import doubts
from store.tables.readings import Row, first_row, row_at
from store.tables.runs import read_bounds
from store.windows.devices import DeviceWindow, merge_devices, read_devices
from store.windows.histograms import HistogramWindow, difference, merge
from store.windows.peaks import read_maxima
from store.windows.sums import add_each, highest_each, minus_known

__all__ = ["DeviceWindow", "HistogramWindow", "Window", "add", "difference_of_rows", "read_window"]

_VALUES = slice(2, 2 + len(CUMULATIVE_VALUES))
_SLOTS = {
    name: slice(start, start + 2 + BUCKET_SLOTS)
    for index, name in enumerate(HISTOGRAMS)
    for start in (2 + len(VALUE_COLUMNS) + index * (2 + BUCKET_SLOTS),)
}


@dataclass(frozen=True, slots=True)
class Window:
    """What an engine did from `from_ms` to `to_ms`, the instants of the rows it was taken from.

    `runs` runs contributed (`run_ids` names them, oldest first). `totals` has a key for each of
    `CUMULATIVE_VALUES`, `maxima` for each of `MAXIMA`, `histograms` for each of `HISTOGRAMS`; None
    where a contributing run does not tell it. For `devices_unknown_ms` of it nobody knew what
    devices the engine held; `devices_unknown` says why.
    """

    engine_id: int
    from_ms: int
    to_ms: int
    runs: int
    totals: Mapping[str, int | None]
    maxima: Mapping[str, int | None]
    histograms: Mapping[str, HistogramWindow | None]
    devices: tuple[DeviceWindow, ...] = ()
    run_ids: tuple[int, ...] = ()
    devices_unknown_ms: int = 0
    devices_unknown: str = ""


def read_window(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int) -> Window | None:
    """The window of an engine over [from_ms, to_ms].

    In each run it snaps to the rows at or before its ends (or the run's first row), so windows that
    meet at one instant neither overlap nor leave anything out. None where no run has two rows.
    """
    with ledger.consistent():
        windows = (
            _read_run(ledger, engine_id, run_id, from_ms, to_ms)
            for run_id in runs_between(ledger, engine_id, from_ms, to_ms)
        )
        run_windows = [window for window in windows if window is not None]
    return reduce(add, run_windows) if run_windows else None


def runs_between(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int) -> list[int]:
    """Ids of the engine's runs with a row up to `to_ms` and one after `from_ms`, in order."""
    rows = ledger.conn.execute(
        "SELECT id FROM runs WHERE engine_id = ? "
        "AND (SELECT min(ts_ms) FROM reading_rows WHERE run_id = runs.id) <= ? "
        "AND (SELECT max(ts_ms) FROM reading_rows WHERE run_id = runs.id) > ? ORDER BY id",
        (engine_id, to_ms, from_ms),
    )
    return [row[0] for row in rows]


def add(a: Window, b: Window) -> Window:
    """Both windows as one: sums, highest maxima, histograms merged on the bounds they share.

    `from_ms` and `to_ms` enclose both. What either does not tell is None.
    """
    run_ids = tuple(sorted({*a.run_ids, *b.run_ids}))
    return Window(
        a.engine_id,
        min(a.from_ms, b.from_ms),
        max(a.to_ms, b.to_ms),
        len(run_ids) or max(a.runs, b.runs),
        add_each(a.totals, b.totals),
        highest_each(a.maxima, b.maxima),
        {
            name: merge(a.histograms.get(name), b.histograms.get(name))
            for name in {**a.histograms, **b.histograms}
        },
        merge_devices(a.devices, b.devices),
        run_ids,
        a.devices_unknown_ms + b.devices_unknown_ms,
        b.devices_unknown or a.devices_unknown,
    )


def _read_run(
    ledger: Ledger, engine_id: int, run_id: int, from_ms: int, to_ms: int
) -> Window | None:
    upper = row_at(ledger, run_id, to_ms)
    lower = row_at(ledger, run_id, from_ms) or first_row(ledger, run_id)
    if upper is None or lower is None or upper[1] <= lower[1]:
        return None
    return difference_of_rows(ledger, engine_id, lower, upper, read_bounds(ledger, run_id))


def difference_of_rows(
    ledger: Ledger,
    engine_id: int,
    lower: Row,
    upper: Row,
    bounds: Mapping[str, tuple[float, ...]],
) -> Window:
    """The window between two rows of one run, the later one given as `upper`."""
    run_id, from_ms = lower[:2]
    to_ms = upper[1]
    unknown_ms, why_unknown = doubts.stretch(ledger, run_id, doubts.DEVICES, from_ms, to_ms)
    return Window(
        engine_id,
        from_ms,
        to_ms,
        1,
        {
            name: minus_known(after, before)
            for name, after, before in zip(
                CUMULATIVE_VALUES, upper[_VALUES], lower[_VALUES], strict=True
            )
        },
        read_maxima(ledger, run_id, from_ms, to_ms),
        {
            name: difference(lower[slots], upper[slots], bounds.get(name, ()))
            for name, slots in _SLOTS.items()
        },
        read_devices(ledger, run_id, from_ms, to_ms),
        (run_id,),
        unknown_ms,
        why_unknown,
    )
