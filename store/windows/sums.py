"""Sums and maxima of values that may be unknown: what a part does not tell, the whole does not."""

from __future__ import annotations

from collections.abc import Mapping

Values = Mapping[str, int | None]


def add_known(a: int | None, b: int | None) -> int | None:
    """The sum, None where either is unknown."""
    return None if a is None or b is None else a + b


def minus_known(a: int | None, b: int | None) -> int | None:
    """The difference a - b, None where either is unknown."""
    return None if a is None or b is None else a - b


def highest_known(a: int | None, b: int | None) -> int | None:
    """The higher one, None where either is unknown."""
    return None if a is None or b is None else max(a, b)


def fold(a: int | None, b: int | None) -> int | None:
    """The higher of what is known of two maxima; None where neither is."""
    if a is None or b is None:
        return a if b is None else b
    return max(a, b)


def add_each(a: Values, b: Values) -> dict[str, int | None]:
    """Sums by name over the names of both."""
    return {name: add_known(a.get(name), b.get(name)) for name in {**a, **b}}


def highest_each(a: Values, b: Values) -> dict[str, int | None]:
    """Maxima by name over the names of both."""
    return {name: highest_known(a.get(name), b.get(name)) for name in {**a, **b}}
