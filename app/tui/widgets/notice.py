"""What stands in place of the figures: no engine yet, or no room."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.canvases.frame_canvas import FrameCanvas
from app.tui.drawing.figures import figure
from app.tui.drawing.lines import Line, Span, outside
from app.tui.feed.frame import Frame

LEAST_WIDTH = 60
LEAST_HEIGHT = 16


class Notice(FrameCanvas):
    """A few plain lines."""

    def __init__(self) -> None:
        super().__init__(id="notice")

    def draw(self) -> Sequence[Line]:
        """The reason and the next step."""
        frame = self.frame
        if frame is None:
            return []
        if self.app.size.width < LEAST_WIDTH or self.app.size.height < LEAST_HEIGHT:
            return _no_room(frame, self.app.size.width, self.app.size.height)
        return _no_engine(frame)


def _no_room(frame: Frame, width: int, height: int) -> list[Line]:
    name = "no engine" if frame.engine is None else outside(frame.engine.name, 40)
    cost = figure("cost_per_request_usd", frame.metrics.get("cost_per_request_usd"))
    rate = figure("generation_rate", frame.metrics.get("generation_rate"))
    return [
        (Span(name, "strong"),),
        (Span(str(cost), "money"), Span("/request", "quiet")),
        (Span(str(rate), "strong"),),
        (Span(f"{width}x{height}; needs {LEAST_WIDTH}x{LEAST_HEIGHT}", "quiet"),),
    ]


def _no_engine(frame: Frame) -> list[Line]:
    blank: Line = ()
    if frame.problem is not None:
        problem = frame.problem
        lines = [part for part in (problem.meaning, problem.remedy) if part]
        return [
            blank,
            (Span(outside(problem.what), "bad"),),
            *((Span(outside(part)),) for part in lines),
        ]
    return [
        blank,
        (Span("No engine in this ledger yet.", "strong"),),
        (
            Span(
                "trimtab looks for vLLM on this machine and shows it here when it answers.", "quiet"
            ),
        ),
        blank,
        (
            Span("  trimtab demo          ", "primary"),
            Span("a small engine, traffic and this screen"),
        ),
        (Span("  trimtab serve MODEL   ", "primary"), Span("start vLLM with live knobs")),
        (Span("  trimtab URL           ", "primary"), Span("attach to an engine anywhere")),
        (Span("  trimtab doctor        ", "primary"), Span("what is wrong with this host")),
    ]
