"""The amounts of a window that add up over windows, named once.

Every mean, rate and unit cost is a ratio of two of these, so a block, a window and a bootstrap
replicate are all the same arithmetic on sums. None means the engine does not tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from store.metrics.cost import UNKNOWN_SHARE, cost_of
from store.metrics.prices import PriceBook
from store.reading_columns import CUMULATIVE_VALUES, GAUGES

if TYPE_CHECKING:
    from store.windows.devices import DeviceWindow
    from store.windows.window import Window

Amounts = Mapping[str, int | float | None]

_ANSWERED = ("requests_stop", "requests_length", "requests_other")
_FAILED = ("requests_abort", "requests_error")

_IN_FLIGHT_SLACK = 4
"""How many times longer than the mean the prompts may be of what is in flight."""

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
    integrals cover, `running_watched_s` and so on the part in which that gauge was known, too.
    `requests` finished with an answer, `failed` were aborted or ended in an error, `finished` are
    both. `hit_tokens` of `looked_up_tokens` were found in the prefix cache.
    """
    totals = window.totals
    sums: dict[str, int | float | None] = {name: totals.get(name) for name in _COPIED}
    for name, (column, per_second) in _SECONDS.items():
        value = totals.get(column)
        sums[name] = None if value is None else value / per_second
    sums["seconds"] = _counted_seconds(window)
    for name, gauge in GAUGES.items():
        watched_ms, unknown_ms = totals.get("watched_ms"), totals.get(gauge.unknown) or 0
        sums[f"{name}_watched_s"] = None if watched_ms is None else (watched_ms - unknown_ms) / 1e3
    sums |= _request_amounts(window)
    sums |= _cache_amounts(window)
    sums["tokens"] = _full_sum((sums["prompt_tokens"], sums["generation_tokens"]))
    cost = cost_of(window, prices)
    sums["allocated_usd"], sums["active_usd"] = cost.allocated_usd, cost.active_usd
    sums |= _device_amounts(window)
    return sums


def _request_amounts(window: Window) -> dict[str, int | float | None]:
    totals = window.totals
    answered = _full_sum(totals.get(name) for name in _ANSWERED)
    failed = _full_sum(totals.get(name) for name in _FAILED)
    finished = _full_sum((answered, failed))
    if all(totals.get(name) is None for name in (*_ANSWERED, *_FAILED)):
        # Speakers like Triton count no requests, but time each.
        latencies = window.histograms.get("e2e")
        answered = finished = None if latencies is None else latencies.histogram.count
    if abandoned_hint(window):
        failed = None
    return {"requests": answered, "failed": failed, "finished": finished}


def abandoned_hint(window: Window) -> str:
    """What tells that clients went away from requests, which vLLM counts nowhere; else ''.

    Their prompts are in `prompt_tokens`, and never among those of finished requests: more is
    missing there than what is in flight can hold.
    """
    totals = window.totals
    prompt, of_finished = totals.get("prompt_tokens"), totals.get("request_prompt_tokens")
    finished = _full_sum(totals.get(name) for name in (*_ANSWERED, *_FAILED))
    if prompt is None or of_finished is None or finished is None:
        return ""
    in_flight = sum(window.maxima.get(name) or 0 for name in ("running_max", "waiting_max"))
    mean = of_finished / finished if finished else 0.0
    if prompt - of_finished <= _IN_FLIGHT_SLACK * mean * (in_flight + 1):
        return ""
    return (
        f"{prompt:,} prompt tokens, but {of_finished:,} of finished requests: "
        "requests whose clients went away are counted nowhere"
    )


def _cache_amounts(window: Window) -> dict[str, int | float | None]:
    """Cached tokens of prompt tokens; where no version tells them, hits of look-ups: a request that
    waits is looked up again at each step, so both are too many, and alike."""
    totals = window.totals
    if totals.get("cached_prompt_tokens") is not None:
        names = "cached_prompt_tokens", "prompt_tokens"
    else:
        names = "prefix_hits", "prefix_queries"
    return dict(zip(("hit_tokens", "looked_up_tokens"), map(totals.get, names), strict=True))


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
    busy_s = sum(gpu.watched_ms - gpu.busy_unknown_ms for gpu in gpus) / 1e3
    memory_s = sum(gpu.watched_ms - gpu.memory_unknown_ms for gpu in gpus) / 1e3
    busy = _full_sum(gpu.busy_us for gpu in gpus)
    # Seconds to average memory over. The GPUs of one run are watched side by side; runs on other
    # GPUs follow each other, so there the engine's own time counts.
    is_beside = bool(gpus) and window.runs == 1
    seconds = memory_s / len(gpus) if is_beside else (window.totals.get("watched_ms") or 0) / 1e3
    memory = _full_sum(_memory_mib_ms(gpu, seconds if is_beside else None) for gpu in gpus)
    energy = _full_sum(_energy_mj(device_window) for device_window in window.devices)
    return {
        "gpu_watched_s": busy_s,
        "gpu_busy_s": None if busy is None else busy / 1e6,
        "gpu_byte_s": None if memory is None else memory * 2**20 / 1e3,
        "gpu_memory_s": seconds,
        "energy_j": None if energy is None else energy / 1e3,
    }


def _memory_mib_ms(gpu: DeviceWindow, seconds: float | None) -> float | None:
    """A GPU's memory over time; brought to `seconds`, so that one that told for a part of the time
    counts with its own mean."""
    known_ms = gpu.watched_ms - gpu.memory_unknown_ms
    if seconds is None or gpu.memory_mib_ms is None or not gpu.memory_unknown_ms or known_ms <= 0:
        return gpu.memory_mib_ms
    return gpu.memory_mib_ms * seconds * 1e3 / known_ms


def _energy_mj(device_window: DeviceWindow) -> int | None:
    """None where too much of it is not known: the rest would look thrifty."""
    is_known = abs(device_window.energy_unknown_ms) <= UNKNOWN_SHARE * device_window.held_ms
    return device_window.energy_mj if is_known else None


def _full_sum(values: Iterable[int | float | None]) -> int | float | None:
    """The sum where every part is told, else None; None for no parts."""
    total: int | float | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total
