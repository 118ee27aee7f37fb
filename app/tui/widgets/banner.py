"""The banner: one line, only while a swap runs or the figures below cannot be taken as of now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.offers.expectation import left_text
from app.text.durations import ago
from app.tui.canvases.frame_canvas import FrameCanvas
from app.tui.drawing.changes import variant_name
from app.tui.drawing.lines import Line, Span, clip, outside, pad, spread, width_of
from app.tui.drawing.swap_steps import elapsed_s, phase, silent_s, starting, waiting_s
from app.tui.feed.frame import Frame

if TYPE_CHECKING:
    from store.reports.swap import SwapReport

_NOTE = "NOTE"
"""What is no trouble: the figures below are of now, but for the one that is named."""
_WIDE = 100
"""From this width on there is room for what a swap's time left rests on."""


class Banner(FrameCanvas):
    """What is wrong and what to do; blank when nothing is."""

    def __init__(self) -> None:
        super().__init__(id="banner")

    def draw(self) -> Sequence[Line]:
        """One line across the screen, a trouble in the alarm's colours, or none."""
        frame = self.frame
        if frame is None:
            return []
        if frame.swapping is not None and frame.problem is None:
            return [swap_line(frame, frame.swapping, self.size.width)]
        trouble = trouble_of(frame)
        if trouble is None:
            return []
        word, what, remedy = trouble
        width = self.size.width
        room = width - len(word) - len(remedy) - 5
        text = f" {word}  {clip(what, max(20, room))}  {remedy}"
        return [(Span(pad(text, width), "warn" if word == _NOTE else "alarm"),)]


def swap_line(frame: Frame, swap: SwapReport, width: int) -> Line:
    """A swap that runs: to which variant, what it does, since when, how long still."""
    elapsed = elapsed_s(swap, frame.now_ms)
    waiting, silent = waiting_s(swap, elapsed), silent_s(swap, elapsed)
    since = _whole(elapsed) if waiting is None else f"connections wait {_whole(waiting)}"
    left = left_text(frame.start_left) if starting(swap) else ""
    if width < _WIDE:
        left = left.partition(",")[0] if frame.start_left else ""
    if silent is not None:
        left = f"no word for {_whole(silent)}"
    parts = [f"→ {outside(variant_name(swap.variant), 40)}", phase(swap), since, left]
    line: Line = (Span(" SWAP  ", "cursor"), Span("   ".join(filter(None, parts)), "cursor"))
    more: Line = (Span("s", "cursor"), Span(" shows it ", "cursor-quiet"))
    shown = spread(line, more if width >= _WIDE else (), width)
    gap = Span(" " * (width - width_of(shown)))
    return tuple(
        Span(text, "cursor-quiet" if role == "text" else role) for text, role in (*shown, gap)
    )


def _whole(seconds: float) -> str:
    return ago(int(1000 * seconds))


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
    return (_NOTE, reason, "") if reason else None
