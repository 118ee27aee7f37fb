"""Numbers of a page made into the integers of the ledger; what cannot be true is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engines.metrics_page.errors import NotMetrics

LARGEST = 2**63 - 1
"""SQLite's largest integer."""
LARGEST_GAUGE = 10_000_000
"""Requests that no engine has at once; its integral over a year stays below `LARGEST`."""


def whole(values: Sequence[float], indices: Iterable[int], name: str) -> int:
    """The sum of some values that must be whole numbers from 0 up."""
    total = 0
    for index in indices:
        value = values[index]
        if not (value >= 0 and value.is_integer()):
            raise NotMetrics(f"{name} is {value:g}, not a count")
        total += int(value)
    return _in_range(total, name)


def present(values: Sequence[float], indices: Iterable[int], name: str) -> int:
    """The sum of some values that count what is there now."""
    number = whole(values, indices, name)
    if number > LARGEST_GAUGE:
        raise NotMetrics(f"{name} is {number:g}, more than any engine has")
    return number


def scaled(number: int, factor: int, name: str) -> int:
    """A count in a smaller unit."""
    return _in_range(number * factor, name)


def microseconds(values: Sequence[float], indices: Iterable[int], name: str) -> int:
    """The sum of some values in seconds, which must not be negative, in microseconds."""
    total = sum(values[index] for index in indices)
    if not 0 <= total <= LARGEST / 1_000_000:
        raise NotMetrics(f"{name} is {total:g} seconds")
    return _in_range(round(total * 1_000_000), name)


def share(values: Sequence[float], indices: Sequence[int], name: str) -> int:
    """The mean of some values that must lie in 0..1, in parts per million."""
    mean = sum(values[index] for index in indices) / len(indices)
    if not 0 <= mean <= 1:
        raise NotMetrics(f"{name} is {mean:g}, not a share")
    return round(mean * 1_000_000)


def _in_range(number: int, name: str) -> int:
    if number > LARGEST:
        raise NotMetrics(f"{name} is too large")
    return number
