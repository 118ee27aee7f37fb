"""The knobs: what can be turned, how, between which bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from app.tui.drawing.knob_names import label
from app.tui.drawing.lines import Line, Span, outside, pad
from app.tui.feed.frame import Frame
from app.tui.keys.keymap import KEYS
from app.tui.keys.messages import KnobChosen
from app.tui.widgets.canvas import Canvas
from store.records import KnobState, format_value

_KEY_OF = {key.action.split("'")[1]: key.shown for key in KEYS if "'" in key.action}
_COLUMNS = (("", 3), ("knob", 16), ("now", 8), ("start", 8), ("bounds", 13), ("kind", 5))
_WIDTH = sum(width for _, width in _COLUMNS)


class KnobList(Canvas, can_focus=True):
    """A list with a cursor; enter asks to change the chosen knob."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Choose the knob above", show=False),
        Binding("down,j", "move(1)", "Choose the knob below", show=False),
        Binding("enter", "choose", "Change the chosen knob", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="knobs")
        self._knobs: tuple[KnobState, ...] = ()
        self._observed = ""
        self._stale = False
        self._cursor = 0

    def show(self, frame: Frame) -> None:
        """Draw the knobs of `frame`."""
        self._knobs = frame.knobs
        self._stale = frame.stale
        self._observed = "" if frame.run is None else outside(frame.run.info.reason, 200)
        self._cursor = min(self._cursor, max(0, len(self._knobs) - 1))
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """A heading and a row per knob, the chosen one lit while the list has the focus."""
        width = self.size.width
        heading = tuple(Span(pad(name, size), "quiet") for name, size in _COLUMNS)
        title: Line = (Span(pad("Knobs", _COLUMNS[0][1] + _COLUMNS[1][1]), "strong"), *heading[2:])
        if not self._knobs:
            why = self._observed or "the engine has told of none yet"
            return [title, (Span(f"none to turn: {why}", "quiet"),)]
        return [title, *(self._row(row, width) for row in range(len(self._knobs)))]

    def _row(self, row: int, width: int) -> Line:
        knob = self._knobs[row]
        lit = self.has_focus and row == self._cursor
        plain, strong = ("cursor-quiet", "cursor") if lit else ("quiet", "strong")
        moved = knob.value != knob.start and knob.start is not None
        value_role = "cursor" if lit else "quiet" if self._stale else "money" if moved else "strong"
        texts = (
            (_KEY_OF.get(knob.name, ""), strong if lit else "primary"),
            (label(outside(knob.name, 40)), strong if lit else "text"),
            (format_value(knob.value), value_role),
            (format_value(knob.start), plain),
            (_bounds(knob), plain),
            (knob.kind, plain),
        )
        spans = [Span(pad(text, _COLUMNS[n][1]), role) for n, (text, role) in enumerate(texts)]
        if width > _WIDTH + 8:
            spans.append(Span(pad(outside(knob.reason, 120), width - _WIDTH), plain))
        return tuple(spans)

    def action_move(self, step: int) -> None:
        """Move the cursor, stopping at the ends."""
        self._cursor = max(0, min(len(self._knobs) - 1, self._cursor + step))
        self.redraw()

    def action_choose(self) -> None:
        """Ask the screen to change the chosen knob."""
        if self._knobs:
            self.post_message(KnobChosen(self._knobs[self._cursor].name))

    def on_focus(self, _event: events.Focus) -> None:
        """Light the cursor."""
        self.redraw()

    def on_blur(self, _event: events.Blur) -> None:
        """Put the cursor's light out."""
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Choose the knob under the pointer."""
        if 1 <= event.y <= len(self._knobs):
            self._cursor = event.y - 1
            self.redraw()


def _bounds(knob: KnobState) -> str:
    if knob.minimum is None and knob.maximum is None:
        return "off on" if isinstance(knob.start, bool) or isinstance(knob.value, bool) else ""
    low = "" if knob.minimum is None else str(knob.minimum)
    high = "" if knob.maximum is None else str(knob.maximum)
    return f"{low}‥{high}"
