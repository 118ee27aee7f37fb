"""What dialogs share: a box in the middle, escape closes it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from app.tui.canvases.painted import Painted
from app.tui.drawing.lines import Line, width_of

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A modal screen; its box has the id `box`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", show=False),
    ]

    def action_leave(self) -> None:
        """Close without a result."""
        self.dismiss(None)


def table(lines: list[Line]) -> Painted:
    """A canvas exactly as large as `lines`."""
    painted = Painted("table")
    resize(painted, lines)
    return painted


def resize(painted: Painted, lines: list[Line]) -> None:
    """Give the canvas other lines and their size."""
    painted.styles.width = max((width_of(line) for line in lines), default=1)
    painted.styles.height = max(1, len(lines))
    painted.tell(lines)
