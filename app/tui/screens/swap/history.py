"""The last swaps of an engine, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from app.text.clock import clock_time
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.changes import variant_name
from app.tui.drawing.lines import Line, Span, clip, outside, pad
from app.tui.feed.frame import Frame
from store.metrics.formats import MISSING
from store.reports.swap import SwapReport

_NAME = 26
_ROLES = {"done": "good", "rolled back": "bad"}


class SwapHistory(Canvas):
    """When, to what, what came of it."""

    def __init__(self) -> None:
        super().__init__(id="history")
        self._swaps: tuple[SwapReport, ...] = ()

    def show(self, frame: Frame) -> None:
        """Draw the swaps of `frame`."""
        self._swaps = frame.swaps
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """A title and a line per swap."""
        title: Line = (Span("Last swaps", "strong"), Span("  o shows what each has shown", "quiet"))
        if not self._swaps:
            return [(Span("Last swaps", "strong"),), (Span("none yet", "quiet"),)]
        return [title, *(_row(swap, self.size.width) for swap in self._swaps)]


def _row(swap: SwapReport, width: int) -> Line:
    took = MISSING if swap.took_s is None else f"{swap.took_s:.1f} s"
    outcome = outside(swap.outcome, 11)
    shown = 10 + _NAME + 13 + 12 + 9 + 2
    return (
        Span(f"{clock_time(swap.ts_ms)}  ", "quiet"),
        Span(pad(outside(variant_name(swap.variant), 60), _NAME - 1) + " "),
        Span(pad(outcome, 13), _ROLES.get(outcome, "quiet")),
        Span(pad(outside(swap.strategy, 10), 12), "quiet"),
        Span(pad(took, 9, right=True), "quiet"),
        Span(f"  {clip(outside(swap.reason, 300), max(0, width - shown))}", "quiet"),
    )
