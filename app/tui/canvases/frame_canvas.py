"""A canvas that draws a frame whole."""

from __future__ import annotations

from app.tui.canvases.canvas import Canvas
from app.tui.feed.frame import Frame


class FrameCanvas(Canvas):
    """Draws `self.frame`, which is None before the first one."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Draw for `frame`."""
        self.frame = frame
        self.redraw()
