"""Durations as people type and read them: 90s, 5m, 2h, 1h30m."""

from __future__ import annotations

import re

from store.errors import BadInput

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_S = 10 * 365 * 86400.0


def parse_duration(text: str) -> float:
    """Seconds in `text`; raises BadInput for anything but a positive sum of numbers with units."""
    word = text.strip().lower()
    parts = _PART.findall(word)
    if not parts or "".join(number + unit for number, unit in parts) != word:
        raise BadInput(
            f"{text!r} is not a duration", remedy="Write a number with a unit: 90s, 5m, 2h, 1h30m"
        )
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    if not 0 < seconds <= _LONGEST_S:
        raise BadInput(f"{text!r} must be more than 0 and at most ten years")
    return seconds


def format_duration(seconds: float) -> str:
    """The duration in its two largest units: 0.5s, 42s, 1m 30s, 2h, 3d 4h."""
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f}s"
    whole = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
