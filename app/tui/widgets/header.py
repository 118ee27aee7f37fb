"""The top two lines: which engine, in what state, under whose eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.text.durations import ago
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.lines import Line, Span, clip, joined, outside, spread
from app.tui.feed.frame import Frame

if TYPE_CHECKING:
    from store.records import EngineRow

_LEAST_MODEL = 12
_PATH_CUT = "…/"


class Header(Canvas):
    """Name, model, version and uptime; control, recorder, range and pause."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self._frame: Frame | None = None
        self._paused = False

    def show(self, frame: Frame, *, paused: bool) -> None:
        """Draw for `frame`."""
        self._frame, self._paused = frame, paused
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """Two lines."""
        width = self.size.width
        frame = self._frame
        if frame is None:
            return [(Span("trimtab", "strong"),)]
        return [_who(frame, width), _how(frame, width, paused=self._paused)]


def _who(frame: Frame, width: int) -> Line:
    engine, run = frame.engine, frame.run
    if engine is None:
        return (Span("trimtab", "strong"),)
    name, place = outside(_name_of(frame, engine), 60), _place(frame)
    facts: list[Line] = []
    if run is not None and run.info.vllm_version:
        facts.append((Span(f"vLLM {outside(run.info.vllm_version, 24)}", "quiet"),))
    if run is not None and run.info.started_ms is not None and engine.state != "gone":
        facts.append((Span(f"up {ago(frame.now_ms - run.info.started_ms)}", "quiet"),))
    right = joined(facts, "   ")
    model = outside(run.info.model, 300) if run is not None and run.info.model else "model unknown"
    room = width - sum(len(span.text) for span in right) - len(name) - len(place) - 6
    shown = model
    if len(model) > room and "/" in model:
        shown = _PATH_CUT + model.rsplit("/", 1)[1]
    left: Line = (
        Span(name, "strong"),
        Span(place, "quiet"),
        Span("   "),
        Span(clip(shown, max(_LEAST_MODEL, room)), "text"),
    )
    return spread(left, right, width)


def _how(frame: Frame, width: int, *, paused: bool) -> Line:
    right = joined([_pause(paused), _recorder(frame), _range(frame)], "   ")
    return spread(_control(frame), right, width)


def _control(frame: Frame) -> Line:
    if frame.run is None:
        return ()
    if frame.engine is not None and frame.engine.state == "gone":
        return (Span("○ ", "bad"), Span("its process has ended", "text"))
    control, reason = frame.run.info.control, outside(frame.run.info.reason, 160)
    role = {"live": "good", "swap": "warn", "observe": "warn"}[control]
    words = {"live": "control live", "swap": "swap only", "observe": "observe only"}[control]
    tail = (Span(f"  {reason}", "quiet"),) if reason else ()
    return (Span("● ", role), Span(words, "text"), *tail)


def _name_of(frame: Frame, engine: EngineRow) -> str:
    """Its name, with its address where another one goes by the same."""
    others = (other.name for other in frame.engines if other.id != engine.id)
    if engine.name not in others:
        return engine.name
    return f"{engine.name} at {engine.url.partition('://')[2] or engine.url}"


def _place(frame: Frame) -> str:
    """Which of several engines this is: 2/3."""
    ids = [engine.id for engine in frame.engines]
    if len(ids) < 2 or frame.engine is None or frame.engine.id not in ids:
        return ""
    return f" {ids.index(frame.engine.id) + 1}/{len(ids)}"


def _recorder(frame: Frame) -> Line:
    if frame.engine is None:
        return ()
    if frame.recorder is None:
        return (Span("○ not recording", "warn"),)
    return (Span("● ", "good"), Span("recording", "quiet"))


def _range(frame: Frame) -> Line:
    if frame.engine is None:
        return ()
    if frame.stale and frame.age_ms is not None:
        return (Span(f"as of {ago(frame.age_ms)} ago", "warn"),)
    return (Span(f"last {frame.range.label}", "quiet"),)


def _pause(paused: bool) -> Line:
    return (Span(" paused ", "chip"),) if paused else ()
