"""A dialog to type a knob's new value, checked against its bounds while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from app.tui.drawing.knob_names import label
from app.tui.drawing.lines import Line, Span, outside
from app.tui.screens.dialog import Dialog
from app.tui.widgets.painted import Painted
from store.records import KnobState, format_value


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
        facts = Painted("said")
        self._title.tell([(Span(f"{label(knob.name)}  ", "strong"), Span(knob.name, "quiet"))])
        facts.tell([_facts(knob)])
        with Vertical(id="box"):
            yield self._title
            yield facts
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


def _facts(knob: KnobState) -> Line:
    bounds = ""
    if knob.minimum is not None and knob.maximum is not None:
        bounds = f"   {knob.minimum} to {knob.maximum}"
    reason = f"   {outside(knob.reason, 80)}" if knob.reason else ""
    return (
        Span(
            f"now {format_value(knob.value)}   start {format_value(knob.start)}{bounds}{reason}",
            "quiet",
        ),
    )


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
    if knob.minimum is not None and value < knob.minimum:
        return f"At least {knob.minimum}"
    if knob.maximum is not None and value > knob.maximum:
        return f"At most {knob.maximum}"
    return None
