"""Numbers of a page made into the integers of the ledger; what cannot be true is doubted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

LARGEST = 2**63 - 1
"""SQLite's largest integer."""
LARGEST_GAUGE = 10_000_000
"""Requests that no engine has at once; its integral over a year stays below `LARGEST`."""


class Doubtful(Exception):
    """A number of a page that cannot be true. It says nothing about the others.

    The text tells why without the number, so that it stays the same from page to page.
    """


def whole(values: Sequence[float], indices: Iterable[int]) -> int:
    """The sum of some values that must be whole numbers from 0 up; raises `Doubtful`."""
    total = 0
    for value in _from_zero(values, indices):
        if not value.is_integer():
            raise Doubtful("is no whole number")
        total += int(value)
    return _in_range(total)


def present(values: Sequence[float], indices: Iterable[int]) -> int:
    """The sum of some values that count what is there now; raises `Doubtful`."""
    number = whole(values, indices)
    if number > LARGEST_GAUGE:
        raise Doubtful("is more than any engine has")
    return number


def scaled(number: int, factor: int) -> int:
    """A count in a smaller unit; raises `Doubtful`."""
    return _in_range(number * factor)


def microseconds(values: Sequence[float], indices: Iterable[int]) -> int:
    """The sum of some values in seconds, in microseconds; raises `Doubtful`."""
    total = sum(_from_zero(values, indices))
    if total > LARGEST / 1_000_000:
        raise Doubtful("is too large")
    return _in_range(round(total * 1_000_000))


def share(values: Sequence[float], indices: Sequence[int]) -> int:
    """The mean of some values that must each lie in 0..1, in parts per million; raises
    `Doubtful`."""
    if not all(0 <= values[index] <= 1 for index in indices):
        raise Doubtful("lies outside 0 to 1")
    return round(sum(values[index] for index in indices) / len(indices) * 1_000_000)


def _from_zero(values: Sequence[float], indices: Iterable[int]) -> Iterator[float]:
    for index in indices:
        value = values[index]
        if not math.isfinite(value):
            raise Doubtful("is no number")
        if value < 0:
            raise Doubtful("is negative")
        yield value


def _in_range(number: int) -> int:
    if number > LARGEST:
        raise Doubtful("is too large")
    return number
