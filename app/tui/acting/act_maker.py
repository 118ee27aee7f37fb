"""From a key to an act: what is asked, in words, and the blocking call that does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.text.durations import format_took
from app.tui.acting.actions import Actions
from app.tui.drawing.changes import moved
from app.tui.feed.comparing import Compared, compare_now, recent_span
from store.errors import NotAchieved
from store.knobs.specs import label
from store.records import Change, KnobState, KnobValue, RunRow, format_value
from store.tables.snapshots import BASELINE

if TYPE_CHECKING:
    from app.offers.offer import Offers, Wanted
    from app.tui.feed.frame import Frame
    from store.metrics.prices import PriceBook

Act = tuple[str, Callable[[], str]]


class ActMaker:
    """Prepares acts on the engine of a frame. What it returns runs in a worker thread, which also
    tells where the frame has no engine by now."""

    def __init__(self, actions: Actions, db_path: Path, prices: PriceBook) -> None:
        self._actions = actions
        self._db_path = db_path
        self._prices = prices

    def set_knob(self, frame: Frame | None, knob: KnobState, value: KnobValue) -> Act:
        """Change a knob of the frame's engine."""
        request = (
            f"{label(knob.name)} {format_value(knob.value)} → {format_value(value)} requested …"
        )
        return request, lambda: _outcome(self._actions.set_knob(_run(frame), knob.name, value))

    def undo(self, frame: Frame, *, swapped: Callable[[], None]) -> Act:
        """Take back the last change of a knob on the frame's engine; `swapped` is called instead
        where the last thing done is a swap."""

        def work() -> str:
            changes = self._actions.undo(_run(frame))
            if changes is None:
                swapped()
                return "the last thing done is a swap: going back is one, too"
            return "; ".join(map(_outcome, changes))

        return "undo requested …", work

    def offers(self, frame: Frame) -> Offers:
        """What the frame's engine could be swapped to; blocks."""
        return self._actions.offers(_url(frame))

    def swap(self, frame: Frame, wanted: Wanted) -> Act:
        """Hand a swap of the frame's engine to its supervisor."""

        def work() -> str:
            self._actions.swap(_url(frame), wanted)
            return "the supervisor has taken it over"

        return "handed to the supervisor …", work

    def call_off(self, frame: Frame) -> Act:
        """Call the swap that runs off."""

        def work() -> str:
            self._actions.call_off(_url(frame))
            return "called off: it goes back"

        return "calling it off …", work

    def mark(self, frame: Frame) -> Act:
        """Keep the recent window of the frame as a snapshot named by the time."""
        from_ms, to_ms = recent_span(frame)
        name = time.strftime(f"{BASELINE}-%m%d-%H%M%S", time.localtime(frame.now_ms / 1000))

        def work() -> str:
            self._actions.mark(_url(frame), name, from_ms, to_ms)
            return f"{name} marked: the last {(to_ms - from_ms) // 1000} s. c compares it with now"

        return f"{name} requested …", work

    def compare(self, frame: Frame) -> Compared:
        """The newest baseline against the frame's recent window; blocks."""
        return compare_now(self._db_path, frame, self._prices)


def _url(frame: Frame | None) -> str:
    if frame is None or frame.engine is None:
        raise NotAchieved("There is no engine yet")
    return frame.engine.url


def _run(frame: Frame | None) -> RunRow:
    if frame is None or frame.run is None:
        raise NotAchieved("There is no engine to change yet")
    return frame.run


def _outcome(change: Change) -> str:
    """What became of a change; raises NotAchieved where it does not hold."""
    if change.outcome != "applied":
        reason = f": {change.reason}" if change.reason else ""
        raise NotAchieved(f"{moved(change)} {change.outcome}{reason}")
    took = "" if change.took_ms is None else f" in {format_took(change.took_ms)}"
    remark = f" ({change.reason})" if change.reason else ""
    return f"{moved(change)} applied{took}{remark}"
