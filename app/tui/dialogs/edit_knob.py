"""A dialog to type a knob's new value, checked against its bounds while it is typed."""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from app.tui.canvases.painted import Painted
from app.tui.dialogs.dialog import Dialog, table
from app.tui.drawing.lines import Line, Span, outside
from store.knobs.bounds import bounds_with_unit, violation
from store.knobs.specs import spec_of
from store.records import KnobState, format_value

_REASON_WIDTH = 72


class EditKnob(Dialog[int]):
    """Ends with the value to set, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scale(1)", "Double", show=False),
        Binding("down", "scale(-1)", "Halve", show=False),
    ]

    def __init__(self, knob: KnobState) -> None:
        super().__init__()
        self._knob = knob
        self._title = Painted("said")
        self._said = Painted("said")

    def compose(self) -> ComposeResult:
        """Title, facts, the input, and what is to be said about what is typed."""
        knob = self._knob
        title = Span(f"{spec_of(knob.name).label}  ", "strong")
        self._title.tell([(title, Span(knob.name, "quiet"))])
        with Vertical(id="box"):
            yield self._title
            yield table(_facts(knob))
            yield Input(
                "" if knob.value is None else str(int(knob.value)), type="integer", max_length=9
            )
            yield self._said

    def on_mount(self) -> None:
        """Say how to use it."""
        self._judge(self.query_one(Input).value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._judge(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if objection(self._knob, event.value) is None:
            value = int(event.value)
            self.dismiss(None if value == self._knob.value else value)

    def action_scale(self, direction: int) -> None:
        """Double or halve the value within its bounds."""
        field = self.query_one(Input)
        if (value := _number(field.value)) is None:
            return
        knob = self._knob
        scaled = max(1, value) * 2 if direction > 0 else value // 2
        low = knob.minimum if knob.minimum is not None else 0
        high = knob.maximum if knob.maximum is not None else scaled
        field.value = str(max(low, min(high, scaled)))
        field.cursor_position = len(field.value)

    def _judge(self, text: str) -> None:
        wrong = objection(self._knob, text)
        if wrong is not None:
            self._said.tell([(Span(wrong, "bad"),)])
        else:
            keys: Line = (
                Span("enter", "primary"),
                Span(" set now   ", "quiet"),
                Span("↑ ↓", "primary"),
                Span(" double, halve   ", "quiet"),
                Span("esc", "primary"),
                Span(" leave", "quiet"),
            )
            self._said.tell([keys])


def _facts(knob: KnobState) -> list[Line]:
    """What it is, what it takes, what to mind."""
    values = f"now {format_value(knob.value)}   start {format_value(knob.start)}"
    texts = [
        spec_of(knob.name).summary,
        f"{values}   {bounds_with_unit(knob)}",
        *wrap(outside(knob.reason, 200), _REASON_WIDTH),
    ]
    return [(Span(text, "quiet"),) for text in texts if text]


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def objection(knob: KnobState, text: str) -> str | None:
    """Why `text` cannot be set, or None if it can."""
    value = _number(text)
    if value is None:
        return "Type a whole number"
    return violation(knob, value).capitalize() or None
