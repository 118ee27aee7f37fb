"""An effect in words: its change and the interval of it, both in one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.metrics.formats import format_difference, format_ratio, three_digits
from store.metrics.measure import SPECS

if TYPE_CHECKING:
    from store.compare.comparison import Effect

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

_DOUBLED = 2
"""From a doubling up a change is told as a multiple."""


def change_text(name: str, effect: Effect) -> str:
    """The change: of the ratio where the metric is compared as one, else the difference."""
    if effect.ratio_interval is None and effect.interval is not None:
        return _difference(name, effect.difference)
    return format_ratio(effect.ratio)


def bare(name: str, text: str) -> str:
    """A metric's text without the unit that its label says already."""
    unit = SPECS[name].unit
    return text if unit in ("", "s") else text.removesuffix(f" {unit}")


def _difference(name: str, value: float | None) -> str:
    return bare(name, format_difference(SPECS[name], value))


def interval_text(name: str, effect: Effect) -> str:
    """The interval of that change, in its unit; empty without one."""
    if effect.ratio_interval is not None:
        low, high = effect.ratio_interval
        if high >= _DOUBLED or (effect.ratio or 0) >= _DOUBLED:
            return f"[{times(low)}, {times(high)}]"
        return f"[{whole(100 * (low - 1))}, {whole(100 * (high - 1))}] %"
    if effect.interval is not None:
        low, high = effect.interval
        if SPECS[name].style == "share":
            return f"[{_points(100 * low)}, {_points(100 * high)}] pp"
        return f"[{_difference(name, low)}, {_difference(name, high)}]"
    return ""


def times(ratio: float) -> str:
    """A ratio as a multiple to two digits."""
    return TIMES + (f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}")


def whole(value: float) -> str:
    """A whole number with its sign; 0 without one."""
    rounded = round(value)
    return "0" if rounded == 0 else f"{rounded:+d}".replace("-", MINUS)


def _points(value: float) -> str:
    """Percentage points: whole ones, below one to three digits, as small shares need."""
    if abs(value) >= 1 or value == 0:
        return whole(value)
    return ("+" if value > 0 else MINUS) + three_digits(abs(value))
