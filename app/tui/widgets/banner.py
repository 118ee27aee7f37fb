"""The banner: one loud line, only when the figures below cannot be taken as of now."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.figures import ago
from app.tui.frame import Frame
from app.tui.lines import Line, Span, clip, outside, pad
from app.tui.widgets.canvas import Canvas


class Banner(Canvas):
    """What is wrong and what to do; blank when nothing is."""

    def __init__(self) -> None:
        super().__init__(id="banner")
        self._frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Draw for `frame`."""
        self._frame = frame
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """One line in the alarm's colours across the screen, or none."""
        trouble = None if self._frame is None else trouble_of(self._frame)
        if trouble is None:
            return []
        word, what, remedy = trouble
        width = self.size.width
        room = width - len(word) - len(remedy) - 5
        text = f" {word}  {clip(what, max(20, room))}  {remedy}"
        return [(Span(pad(text, width), "alarm"),)]


def trouble_of(frame: Frame) -> tuple[str, str, str] | None:
    """(word, what, what to do) of the gravest thing that is wrong; None when all is well."""
    if frame.problem is not None:
        problem = frame.problem
        return "LEDGER", outside(f"{problem.what}. {problem.meaning}"), outside(problem.remedy)
    engine = frame.engine
    if engine is None:
        return None
    reason = outside(engine.state_reason, 160).rstrip(".")
    since = "" if engine.state_ms is None else f", for {ago(frame.now_ms - engine.state_ms)}"
    if engine.state == "unreadable":
        what = f"{reason or 'no reason known'}{since}"
        return "UNREADABLE", what, "see its log; trimtab doctor"
    if engine.state == "gone":
        return "GONE", f"the engine stopped{since}", reason or "waiting for it to come back"
    if frame.recorder is None and frame.stale:
        return "NOT RECORDING", "nothing reads this engine now", "start: trimtab record"
    return None
