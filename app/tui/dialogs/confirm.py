"""A question with a yes and a no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from app.tui.dialogs.dialog import Dialog, table
from app.tui.drawing.lines import Line, Span


class Confirm(Dialog[bool]):
    """Ends with True on y or enter; anything else leaves things as they are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "agree", "Yes", show=False),
        Binding("n,q", "leave", "No", show=False),
    ]

    def __init__(self, question: str, meaning: Sequence[str], yes: str) -> None:
        super().__init__()
        self._question = question
        self._meaning = meaning
        self._yes = yes

    def compose(self) -> ComposeResult:
        """The question, what follows from a yes, the keys."""
        blank: Line = ()
        keys: Line = (
            Span("y", "primary"),
            Span(f" {self._yes}   ", "quiet"),
            Span("n", "primary"),
            Span(" no", "quiet"),
        )
        meaning: list[Line] = [(Span(row),) for row in self._meaning]
        with Vertical(id="box"):
            yield table([(Span(self._question, "strong"),), *meaning, blank, keys])

    def action_agree(self) -> None:
        """Yes."""
        self.dismiss(True)
