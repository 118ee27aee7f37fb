"""The amounts of a window that add up over windows, named once.

Every mean, rate and unit cost is a ratio of two of these, so a block, a window and a bootstrap
replicate are all the same arithmetic on sums. None means the engine does not tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from store.metrics.cost import cost_of
from store.metrics.prices import PriceBook
from store.reading_columns import CUMULATIVE_VALUES

if TYPE_CHECKING:
    from store.windows.window import Window

Amounts = Mapping[str, int | float | None]

_ANSWERED = ("requests_stop", "requests_length", "requests_other")
_FAILED = ("requests_abort", "requests_error")

_PER_SECOND = {"_ms": 1e3, "_us": 1e6}
_SECONDS = {
    f"{column[:-3]}_s": (column, _PER_SECOND[column[-3:]])
    for column in CUMULATIVE_VALUES
    if column[-3:] in _PER_SECOND
}
"""Columns of time, each as an amount in seconds."""

_COPIED = tuple(name for name in CUMULATIVE_VALUES if name[-3:] not in _PER_SECOND)
"""Amounts as they stand: all other columns."""


def amounts(window: Window, prices: PriceBook) -> dict[str, int | float | None]:
    """What happened in a window, as sums. Seconds end in `_s`, dollars in `_usd`, joules in `_j`.

    `seconds` is the wall time the counters' differences cover, `watched_s` the part of it the gauge
    integrals cover. `requests` finished with an answer, `failed` were aborted or ended in an error,
    `finished` are both.
    """
    totals = window.totals
    sums: dict[str, int | float | None] = {name: totals.get(name) for name in _COPIED}
    for name, (column, per_second) in _SECONDS.items():
        value = totals.get(column)
        sums[name] = None if value is None else value / per_second
    sums["seconds"] = _counted_seconds(window)
    sums["requests"] = _known_sum(totals.get(name) for name in _ANSWERED)
    sums["failed"] = _known_sum(totals.get(name) for name in _FAILED)
    sums["finished"] = _known_sum((sums["requests"], sums["failed"]))
    sums["tokens"] = _full_sum((sums["prompt_tokens"], sums["generation_tokens"]))
    cost = cost_of(window, prices)
    sums["allocated_usd"], sums["active_usd"] = cost.allocated_usd, cost.active_usd
    sums |= _device_amounts(window)
    return sums


def add_amounts(parts: Iterable[Amounts]) -> dict[str, int | float | None]:
    """The sum of amounts; what one part does not tell is unknown in the sum."""
    total: dict[str, int | float | None] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = _full_sum((total[name], value)) if name in total else value
    return total


def _counted_seconds(window: Window) -> float:
    """Seconds over which counters were counted.

    Within one run that is the time between its rows, watched or not, since a counter goes on while
    nobody looks. Between two runs it goes on unseen: there the watched time stands in for it.
    """
    if window.runs == 1:
        return (window.to_ms - window.from_ms) / 1e3
    return (window.totals.get("watched_ms") or 0) / 1e3


def _device_amounts(window: Window) -> dict[str, int | float | None]:
    gpus = [device_window for device_window in window.devices if device_window.device.kind == "gpu"]
    watched_s = sum(gpu.watched_ms for gpu in gpus) / 1e3
    busy = _full_sum(gpu.busy_us for gpu in gpus)
    memory = _full_sum(gpu.memory_mib_ms for gpu in gpus)
    energy = _full_sum(device_window.energy_mj for device_window in window.devices)
    return {
        "gpu_watched_s": watched_s,
        "gpu_busy_s": None if busy is None else busy / 1e6,
        "gpu_byte_s": None if memory is None else memory * 2**20 / 1e3,
        # Seconds to average memory over. The GPUs of one run are watched side by side; runs on
        # other GPUs follow each other, so there the engine's own time counts.
        "gpu_memory_s": watched_s / len(gpus)
        if gpus and window.runs == 1
        else (window.totals.get("watched_ms") or 0) / 1e3,
        "energy_j": None if energy is None else energy / 1e3,
    }


def _known_sum(values: Iterable[int | float | None]) -> int | float | None:
    """The sum of what is told (an absent series is one that never counted); None if nothing is."""
    known_values = [value for value in values if value is not None]
    return sum(known_values) if known_values else None


def _full_sum(values: Iterable[int | float | None]) -> int | float | None:
    """The sum where every part is told, else None; None for no parts."""
    total: int | float | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total
