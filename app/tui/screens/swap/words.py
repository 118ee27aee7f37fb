"""The lines around the swap screen: which engine, which swap, and the keys of each view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.text.durations import ago
from app.tui.drawing.changes import variant_name
from app.tui.drawing.lines import Line, Span, outside, spread
from app.tui.drawing.swap_steps import elapsed_s

if TYPE_CHECKING:
    from app.tui.feed.frame import Frame

Hint = tuple[str, str]

ARMED: tuple[Hint, ...] = (
    ("enter", "swap now"),
    ("s", "strategy"),
    ("k", "keep"),
    ("w", "why"),
    ("esc", "not this one"),
)
PROGRESS: tuple[Hint, ...] = (("x", "call it off"), ("esc", "leave: it goes on"), ("?", "help"))


def title(frame: Frame, width: int) -> Line:
    """The engine and its model; on the right the swap that runs."""
    name = "no engine" if frame.engine is None else outside(frame.engine.name, 40)
    model = None if frame.run is None else frame.run.info.model
    left: Line = (
        Span("Swap   ", "quiet"),
        Span(name, "strong"),
        Span(f"   {outside(model or '', 120)}"),
    )
    swap = frame.swapping
    if swap is None:
        return spread(left, (), width)
    elapsed = ago(int(1000 * elapsed_s(swap, frame.now_ms)))
    right: Line = (
        Span(f"→ {outside(variant_name(swap.variant), 60)}", "primary"),
        Span(f"   {outside(swap.strategy, 12)}   {elapsed}", "quiet"),
    )
    return spread(left, right, width)


def choosing(*, any_swap: bool) -> tuple[Hint, ...]:
    """The keys of the list."""
    outcome: tuple[Hint, ...] = (("o", "last outcome"),) if any_swap else ()
    return (("↑↓", "choose"), ("enter", "plan it"), *outcome, ("?", "help"), ("esc", "leave"))


def outcome(count: int, *, can_go_back: bool) -> tuple[Hint, ...]:
    """The keys of an outcome."""
    others: tuple[Hint, ...] = (("← →", "other swaps"),) if count > 1 else ()
    back: tuple[Hint, ...] = (("u", "go back"),) if can_go_back else ()
    return (("n", "variants"), *back, *others, ("?", "help"), ("esc", "leave"))


def hints(keys: tuple[Hint, ...]) -> Line:
    """Keys and a word for each in a line."""
    spans: list[Span] = []
    for key, words in keys:
        spans += [Span(key, "primary"), Span(f" {words}", "quiet"), Span("   ")]
    return tuple(spans[:-1])
