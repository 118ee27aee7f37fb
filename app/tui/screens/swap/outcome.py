"""A swap that is over: what came of it, what was seen of both engines, and its steps."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.canvases.canvas import Canvas
from app.tui.drawing.changes import variant_name
from app.tui.drawing.lines import ELLIPSIS, Line, Span, clip, fit, outside, width_of
from app.tui.screens.swap.evidence import engine_lines, quality_lines, quality_reasons, refusal
from app.tui.screens.swap.plan_view import wrapped
from app.tui.screens.swap.progress import asked_line, step_lines
from store.metrics.formats import MISSING
from store.reports.quality import QualityVerdict
from store.reports.swap import SwapReport

_BESIDE = 150
"""From this width on the steps stand beside the evidence."""
_GAP = 4
_REASON = 3
"""So many lines of the reason are shown; what quality says of each figure stands below."""


class SwapOutcome(Canvas):
    """One finished swap."""

    def __init__(self) -> None:
        super().__init__(id="outcome")
        self._swap: SwapReport | None = None

    def show(self, swap: SwapReport | None) -> None:
        """Draw this one; another one than before from scratch."""
        other = swap != self._swap
        self._swap = swap
        self.redraw()
        if other:
            self.refresh()

    def draw(self) -> Sequence[Line]:
        """The outcome, then the evidence and the steps, as far as there is room."""
        swap = self._swap
        if swap is None:
            return [(Span("no swap yet", "quiet"),)]
        width, height = self.size
        blank: Line = ()
        evidence = swap.evidence
        head = [*outcome_lines(swap, width), blank]
        steps = step_lines(swap, swap.took_s or 0.0, width)
        if evidence is None:
            return [*head, *steps]
        if width >= _BESIDE:
            half = (width - _GAP) // 2
            left = [*engine_lines(evidence, half), blank, *_quality(evidence.quality, half)]
            right: list[Line] = [(Span("Steps", "strong"),)]
            right += step_lines(swap, swap.took_s or 0.0, width - half - _GAP, detailed=True)
            return [*head, *_beside(left, right, half)]
        lines = [*head, *engine_lines(evidence, width), blank, *quality_lines(evidence.quality)]
        reasons = [
            row
            for reason in quality_reasons(evidence.quality)
            for row in wrapped(reason, width, "quiet")
        ]
        if swap.outcome == "done" and len(lines) + len(reasons) < height:
            lines += reasons
        if len(lines) + len(steps) + 1 <= height:
            lines += [blank, *steps]
        return lines


def outcome_lines(swap: SwapReport, width: int) -> list[Line]:
    """What came of it, why, and who asked."""
    done = swap.outcome == "done"
    took = MISSING if swap.took_s is None else f"{swap.took_s:.1f} s"
    waited = "nobody waited"
    if swap.waited_s is None:
        waited = f"waited {MISSING}"
    elif swap.waited_s:
        waited = f"new connections waited {swap.waited_s:.1f} s"
    who = asked_line(swap, max(0, width - len(waited) - 3))
    lines: list[Line] = [
        (
            Span(outside(variant_name(swap.variant), 60), "strong"),
            Span("   "),
            Span(outside(swap.outcome, 20), "good" if done else "bad"),
            Span(f"   {outside(swap.strategy, 20)} in {took}", "quiet"),
        ),
        (Span(f"{waited}   "), *who),
    ]
    reason = wrapped(swap.reason, width, "text")
    if done and (refused := refusal(swap.evidence)):
        reason = wrapped(f"taken all the same: {refused}", width, "warn")
    if len(reason) > _REASON:
        cut, role = reason[_REASON - 1][0]
        reason = [*reason[: _REASON - 1], (Span(clip(f"{cut} {ELLIPSIS}", width), role),)]
    return lines + reason


def _quality(quality: QualityVerdict | None, width: int) -> list[Line]:
    reasons = [row for text in quality_reasons(quality) for row in wrapped(text, width, "quiet")]
    return [*quality_lines(quality), *reasons]


def _beside(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Two columns as one."""
    rows: list[Line] = []
    for number in range(max(len(left), len(right))):
        first = fit(left[number], width) if number < len(left) else ()
        gap = Span(" " * (width + _GAP - width_of(first)))
        rows.append((*first, gap, *(right[number] if number < len(right) else ())))
    return rows
