"""A swap that runs: step by step, how long, how long still, and who waits meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from app.offers.expectation import left_text
from app.text.clock import clock_time
from app.text.durations import ago
from app.tui.canvases.frame_canvas import FrameCanvas
from app.tui.drawing.lines import Line, Span, clip, outside, pad
from app.tui.drawing.swap_steps import (
    WORDS,
    Step,
    elapsed_s,
    phase,
    phases,
    silent_s,
    start_began,
    starting,
    steps_of,
    waiting_s,
)
from app.tui.feed.frame import Frame
from store.reports.swap import SwapReport
from store.tables.starts import TimeLeft

_SIGNS = {"done": ("✓", "good"), "now": ("●", "primary"), "next": ("·", "quiet")}
_SIGNS["failed"] = ("✗", "bad")
_NAME, _TOOK = 12, 9


class SwapProgress(FrameCanvas):
    """The steps, done, under way and to come."""

    def __init__(self) -> None:
        super().__init__(id="progress")

    def draw(self) -> Sequence[Line]:
        """How it stands, then the steps."""
        frame = self.frame
        swap = None if frame is None else frame.swapping
        if frame is None or swap is None:
            return [(Span("handed to the supervisor; it begins …", "quiet"),)]
        blank: Line = ()
        width = self.size.width
        elapsed = elapsed_s(swap, frame.now_ms)
        now, wait = _state(frame, swap, elapsed)
        return [
            now,
            start_bar(swap, frame.start_left, elapsed, min(_BAR, width)),
            wait,
            asked_line(swap, width),
            blank,
            *step_lines(swap, elapsed, width, detailed=self.size.height >= _DETAILED),
        ]


_BAR = 60
_DETAILED = 17
"""From so many rows on each phase of the start has its own."""


def asked_line(swap: SwapReport, width: int) -> Line:
    """Who asked for a swap, when and why."""
    why = f": {outside(swap.why, 200)}" if swap.why else ""
    who = outside(swap.who, 60) or "somebody"
    return (Span(clip(f"asked for by {who} at {clock_time(swap.ts_ms)}{why}", width), "quiet"),)


def start_bar(swap: SwapReport, left: TimeLeft | None, elapsed: float, width: int) -> Line:
    """The start as a bar: what is over, what the fastest earlier start still needed, and in dashes
    by how much longer the slowest took. Empty while nothing is started or nothing is known."""
    began = start_began(swap)
    if left is None or began is None or not starting(swap):
        return ()
    over = max(0.0, elapsed - began)
    whole = over + left.high_s
    if whole <= 0 or left.high_s <= 0:
        return (Span("━" * width, "primary"),)
    done, sure = (round(width * part / whole) for part in (over, over + left.low_s))
    return (
        Span("━" * done, "primary"),
        Span("━" * (sure - done), "faint"),
        Span("╌" * (width - sure), "faint"),
    )


def _state(frame: Frame, swap: SwapReport, elapsed: float) -> tuple[Line, Line]:
    """What it does and how long still; who waits."""
    doubt = left_text(frame.start_left) if starting(swap) else ""
    silent = silent_s(swap, elapsed)
    if silent is not None:
        doubt = f"no word for {ago(int(1000 * silent))}: its supervisor may be gone"
    step = next((each for each in steps_of(swap, elapsed) if each.state == "now"), None)
    waiting = waiting_s(swap, elapsed)
    if waiting is None:
        wait: Line = (Span("nobody waits", "good"), Span("  the old engine serves", "quiet"))
        if any(step.name == "take over" for step in steps_of(swap, elapsed) if step.began_s):
            wait = (Span("nobody waits", "good"), Span("  the new engine serves", "quiet"))
    else:
        wait = (
            Span(f"new connections wait {waiting:.0f} s", "warn"),
            Span("  in the queue; none is refused", "quiet"),
        )
    wait = (*wait, Span(f"   {ago(int(1000 * elapsed))} in all", "quiet"))
    now: Line = (
        Span(phase(swap), "strong"),
        Span(f"   {_since_ago(step)}", "primary"),
        Span(f"   {doubt}", "warn" if silent is not None else "quiet"),
    )
    return now, wait


def _since_ago(step: Step | None) -> str:
    """How long the step that runs has taken so far."""
    return "" if step is None or step.took_s is None else ago(int(1000 * step.took_s))


def step_lines(
    swap: SwapReport, elapsed: float, width: int, *, detailed: bool = False
) -> list[Line]:
    """A row per step of a swap, running or over; `detailed` adds the phases of the start."""
    lines: list[Line] = []
    for step in steps_of(swap, elapsed):
        lines.append(_row(step, width))
        if step.name == "start" and detailed:
            lines += [
                (
                    Span(" " * (3 + _NAME) + pad(f"{at_s:.1f} s", _TOOK, right=True), "faint"),
                    Span(f"   {name}", "quiet"),
                )
                for name, at_s in phases(swap)
            ]
    return lines


def _row(step: Step, width: int) -> Line:
    sign, role = _SIGNS[step.state]
    took = "" if step.took_s is None else f"{step.took_s:.1f} s"
    if step.state == "now" and step.took_s is not None:
        took = f"{step.took_s:.0f} s"
    name_role = {"now": "strong", "next": "quiet", "failed": "bad"}.get(step.state, "text")
    text = step.text if step.state != "next" else WORDS.get(step.name, "")
    return (
        Span(f"{sign}  ", role),
        Span(pad(step.name, _NAME), name_role),
        Span(pad(took, _TOOK, right=True), "quiet"),
        Span(f"   {clip(text, max(0, width - _NAME - _TOOK - 6))}", _TEXT_ROLES[step.state]),
    )


_TEXT_ROLES = {"done": "quiet", "now": "text", "next": "faint", "failed": "text"}
