"""A canvas without an idea of its own: it shows the lines it is told."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.canvases.canvas import Canvas
from app.tui.drawing.lines import Line


class Painted(Canvas):
    """Shows lines."""

    def __init__(self, classes: str | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._told: Sequence[Line] = ()

    def tell(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        self._told = lines
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """What it was told."""
        return self._told
