"""Values out of JSON that another program wrote: one of another type than agreed is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_LARGEST = 2**53


def an_object(value: object) -> Mapping[str, Any] | None:
    """A JSON object."""
    return value if isinstance(value, Mapping) else None


def a_list(value: object) -> list[Any]:
    """A JSON array, empty where there is none."""
    return value if isinstance(value, list) else []


def a_text(value: object) -> str | None:
    """A string."""
    return value if isinstance(value, str) else None


def a_number(value: object) -> float | None:
    """A finite number; whole ones that JSON does not keep exact are floats."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    return value if abs(value) <= _LARGEST else number


def a_count(value: object) -> int | None:
    """A whole number that JSON keeps exact."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) <= _LARGEST else None


def an_interval(value: object) -> tuple[float, float] | None:
    """The two ends of an interval."""
    ends = [a_number(end) for end in a_list(value)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]
