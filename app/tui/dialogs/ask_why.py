"""A dialog to type a word for the ledger."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from app.tui.canvases.painted import Painted
from app.tui.dialogs.dialog import Dialog
from app.tui.drawing.lines import Span
from store.foreign_text import remark

_LONGEST = 200


class AskWhy(Dialog[str]):
    """Ends with the text, or None."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self._why = why
        self._title = Painted("said")

    def compose(self) -> ComposeResult:
        """What is asked, and the input."""
        self._title.tell([(Span("Why", "strong"), Span("  kept with the swap", "quiet"))])
        with Vertical(id="box"):
            yield self._title
            yield Input(self._why, max_length=_LONGEST, classes="wide")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(remark(event.value))
