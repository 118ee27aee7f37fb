"""The banner: one loud line, only when the figures below cannot be taken as of now."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.figures import ago
from app.tui.frame import Frame
from app.tui.lines import Line, Span, fit, outside, pad
from app.tui.widgets.canvas import Canvas


class Banner(Canvas):
    """What is wrong and what to do; blank when nothing is."""

    def __init__(self) -> None:
        super().__init__(id="banner")
        self._line: Line = ()

    def show(self, frame: Frame) -> None:
        """Draw for `frame`."""
        self._line = trouble(frame)
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """One line in the alarm's colours across the screen, or none."""
        width = self.size.width
        if not self._line:
            return []
        line = fit(self._line, width)
        used = sum(len(span.text) for span in line)
        return [(*line, Span(pad("", max(0, width - used)), line[-1].role))]


def trouble(frame: Frame) -> Line:
    """The one thing that is wrong, the gravest first; empty when all is well."""
    if frame.problem is not None:
        return _alarm("LEDGER", str(frame.problem))
    engine = frame.engine
    if engine is None:
        return ()
    reason = outside(engine.state_reason, 160).rstrip(".")
    since = f" for {ago(frame.now_ms - engine.state_ms)}" if engine.state_ms is not None else ""
    if engine.state == "unreadable":
        what = f"{reason or 'no reason known'}{since}. Figures below are the last good ones."
        return _alarm("UNREADABLE", f"{what} Check its log, then: trimtab doctor")
    if engine.state == "gone":
        tail = f": {reason}" if reason else ""
        return _alarm("GONE", f"the engine stopped{since}{tail}. Waiting for it to come back.")
    if frame.recorder is None and frame.stale:
        return (
            Span(" NOT RECORDING ", "alarm"),
            Span("  nothing reads this engine now. Start: trimtab record", "warn"),
        )
    return ()


def _alarm(word: str, text: str) -> Line:
    return (Span(f" {word} ", "alarm"), Span(f" {text}", "alarm"))
