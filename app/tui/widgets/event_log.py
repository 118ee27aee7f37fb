"""The event log: what happened, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from app.text.clock import clock_time
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.lines import Line, Span, clip, outside
from app.tui.feed.frame import Frame

_ROLES = {
    "change": "mark",
    "status": "warn",
    "engine": "primary",
    "run": "primary",
    "snapshot": "money",
    "swap": "second",
}


class EventLog(Canvas):
    """As many events as there are rows."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._frame: Frame | None = None
        self._key: object = None

    def show(self, frame: Frame) -> None:
        """Draw the events of `frame`."""
        self._frame = frame
        key = (frame.events, frame.letters)
        if key != self._key:
            self._key = key
            self.redraw()

    def draw(self) -> Sequence[Line]:
        """A title and one line per event."""
        width, height = self.size
        title: Line = (Span("Events", "strong"), Span("  newest first", "quiet"))
        if self._frame is None or not self._frame.events:
            return [title, (Span("nothing yet", "quiet"),)]
        return [
            title,
            *(
                _row(event.ts_ms, event.kind, event.text, width)
                for event in self._frame.events[: height - 1]
            ),
        ]


def _row(ts_ms: int, kind: str, text: str, width: int) -> Line:
    at = clock_time(ts_ms)
    word = outside(kind, 9)
    return (
        Span(f"{at}  ", "quiet"),
        Span(f"{word:<9}", _ROLES.get(kind, "quiet")),
        Span(clip(outside(text, 400), max(0, width - 19))),
    )
