"""An effect in words: the change, its interval, the colour of its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui.drawing.figures import brief
from app.tui.drawing.lines import Line, Span
from store.metrics.formats import format_difference, format_ratio
from store.metrics.measure import SPECS

if TYPE_CHECKING:
    from store.compare.comparison import Effect

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
VERDICT_ROLES = {"better": "good", "worse": "bad", "not comparable": "warn"}


def role_of(effect: Effect) -> str:
    """The role of the effect's verdict."""
    return VERDICT_ROLES.get(effect.verdict or "", "quiet")


def change_text(effect: Effect) -> str:
    """The change after / before."""
    return format_ratio(effect.ratio)


def interval_text(name: str, effect: Effect) -> str:
    """The interval of the change: of the ratio, else of the difference; empty without one."""
    if effect.ratio_interval is not None:
        low, high = effect.ratio_interval
        if high >= 2:
            return f"[{_times(low)}, {_times(high)}]"
        return f"[{_whole(100 * (low - 1))}, {_whole(100 * (high - 1))}] %"
    if effect.interval is not None:
        low, high = effect.interval
        if SPECS[name].style == "share":
            return f"[{_whole(100 * low)}, {_whole(100 * high)}] pp"
        return f"[{format_difference(SPECS[name], low)}, {format_difference(SPECS[name], high)}]"
    return ""


def brief_line(words: str, name: str, effect: Effect) -> Line:
    """The effect in about 36 cells: cost/req $2.7µ→$4.1µ +52% [+45,+60]%."""
    before, after = brief(name, effect.a), brief(name, effect.b)
    first = before.number if before.unit == after.unit else "".join(before)
    ratio = effect.ratio
    change = change_text(effect)
    if ratio is not None:
        change = _times(ratio) if ratio >= 2 else f"{_whole(100 * (ratio - 1))}%"
    interval = interval_text(name, effect).replace(", ", ",").replace("] ", "]")
    return (
        Span(f"{words} ", "quiet"),
        Span(f"{first}→", "quiet"),
        Span("".join(after), "strong"),
        Span(f" {change}", role_of(effect)),
        Span(f" {interval}", "quiet"),
    )


def _whole(value: float) -> str:
    rounded = round(value)
    return "0" if rounded == 0 else f"{rounded:+d}".replace("-", MINUS)


def _times(ratio: float) -> str:
    return TIMES + (f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}")
