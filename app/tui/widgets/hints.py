"""The bottom line: the keys that matter most, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.canvases.canvas import Canvas
from app.tui.drawing.lines import Line, Span, width_of
from app.tui.keys.main_screen import MAIN_KEYS


class Hints(Canvas):
    """Keys and a word for each, from the key table."""

    def __init__(self) -> None:
        super().__init__(id="hints")

    def draw(self) -> Sequence[Line]:
        """One line; help and quit always fit in, the others in the table's order."""
        width = self.size.width
        hints = [(key.id, key.shown, key.hint) for key in MAIN_KEYS if key.hint]
        always = [hint for hint in hints if hint[0] in ("help", "quit")]
        others = [hint for hint in hints if hint not in always]
        while others and _width(others + always) > width:
            others.pop()
        spans: list[Span] = []
        for _, shown, hint in others + always:
            spans += [Span(shown, "primary"), Span(f" {hint}", "quiet"), Span("  ")]
        return [tuple(spans[:-1])]


def _width(hints: list[tuple[str, str, str]]) -> int:
    return width_of(tuple(Span(f"{shown} {hint}  ") for _, shown, hint in hints)) - 2
