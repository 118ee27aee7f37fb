"""Durations as people type and read them: 90s and 1h30m, 1m 30s, 2 h 14 min, 46.2 s."""

from __future__ import annotations

import re

from store.errors import BadInput

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_S = 10 * 365 * 86400.0
_GRAINS_S = ((86400, 3600), (60, 60), (0, 1))
"""From so many seconds on, what is shown is rounded down to so many."""


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
    """The duration as it could be typed, in its two largest units: 0.5s, 42s, 1m 30s, 2h, 3d 4h."""
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f}s"
    parts = [f"{count}{unit[0]}" for count, unit in _in_units(round(seconds))]
    return " ".join(parts[:2]) or "0s"


def ago(span_ms: int) -> str:
    """How long something has lasted, in words that rarely change: 42 s, 3 min, 2 h 14 min, 5 d 3 h.

    Milliseconds, rounded down; a clock that was put back counts as no time.
    """
    whole = max(0, span_ms) // 1000
    grain = next(grain for least, grain in _GRAINS_S if whole >= least)
    return " ".join(f"{count} {unit}" for count, unit in _in_units(whole // grain * grain)) or "0 s"


def format_took(took_ms: float) -> str:
    """How long an act took, to a tenth: `0.1 ms`, `46.2 s`."""
    return f"{took_ms:.1f} ms" if took_ms < 1000 else f"{took_ms / 1000:.1f} s"


def _in_units(seconds: int) -> list[tuple[int, str]]:
    """Whole seconds taken apart, the largest unit first; units of which there are none left out."""
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((count, unit))
    return parts
