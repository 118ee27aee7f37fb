"""An effect in words: the change, its interval, the colour of its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.formats import format_difference, format_ratio
from store.metrics import SPECS

if TYPE_CHECKING:
    from store.compare import Effect

MINUS = "\N{MINUS SIGN}"
VERDICT_ROLES = {"better": "good", "worse": "bad", "not comparable": "warn"}


def change_text(effect: Effect) -> str:
    """The change after ÷ before."""
    return format_ratio(effect.ratio)


def interval_text(name: str, effect: Effect) -> str:
    """The interval of the change: of the ratio, else of the difference; empty without one."""
    if effect.ratio_interval is not None:
        low, high = effect.ratio_interval
        if high >= 2:
            return f"[{format_ratio(low)}, {format_ratio(high)}]".replace(" %", "%")
        return f"[{100 * (low - 1):+.0f}, {100 * (high - 1):+.0f}] %".replace("-", MINUS)
    if effect.interval is not None:
        ends = (format_difference(SPECS[name], end) for end in effect.interval)
        return f"[{', '.join(ends)}]"
    return ""
