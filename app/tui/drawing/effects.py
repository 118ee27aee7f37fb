"""An effect on the screen: the colour of its verdict, and all of it in a short line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.text.effects import change_text, interval_text, times, whole
from app.tui.drawing.figures import brief
from app.tui.drawing.lines import Line, Span

if TYPE_CHECKING:
    from store.compare.comparison import Effect

VERDICT_ROLES = {"better": "good", "worse": "bad", "not comparable": "warn"}


def role_of(effect: Effect) -> str:
    """The role of the effect's verdict."""
    return VERDICT_ROLES.get(effect.verdict or "", "quiet")


def brief_line(words: str, name: str, effect: Effect) -> Line:
    """The effect in about 36 cells: cost/req $2.7µ→$4.1µ +52% [+45,+60]%."""
    before, after = brief(name, effect.a), brief(name, effect.b)
    first = before.number if before.unit == after.unit else "".join(before)
    ratio = effect.ratio
    change = change_text(name, effect)
    if ratio is not None and effect.ratio_interval is not None:
        change = times(ratio) if ratio >= 2 else f"{whole(100 * (ratio - 1))}%"
    interval = interval_text(name, effect).replace(", ", ",").replace("] ", "]")
    return (
        Span(f"{words} ", "quiet"),
        Span(f"{first}→", "quiet"),
        Span("".join(after), "strong"),
        Span(f" {change}", role_of(effect)),
        Span(f" {interval}", "quiet"),
    )
