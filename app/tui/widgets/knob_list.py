"""The knobs: what can be turned, how, between which bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.geometry import Size

from app.tui.acting.messages import KnobChosen
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.lines import Line, Span, outside, pad
from app.tui.feed.frame import Frame
from app.tui.keys.key import bindings_of
from app.tui.keys.main_screen import KNOB_LIST_KEYS, MAIN_KEYS
from store.knobs.bounds import bounds_text, bounds_with_unit
from store.knobs.specs import KNOBS, label
from store.records import KnobState, format_value

_KEY_OF = {key.knob: key.shown for key in MAIN_KEYS if key.knob}
_HEADINGS = ("", "", "now", "start", "bounds", "kind")
_ROOMY = (3, 16, 8, 8, 13, 5)
"""Columns at least so wide stay where they are while values change."""
_AIRED = (3, 2, 4, 1, 0)
"""Where there is no room for those: the columns that get a spare cell, the most crowded first."""
_LEAST_REASON = 8
"""Less room than this is not worth beginning a reason in."""


class KnobList(Canvas, can_focus=True):
    """A list with a cursor; enter asks to change the chosen knob."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(KNOB_LIST_KEYS)

    def __init__(self) -> None:
        super().__init__(id="knobs")
        self._knobs: tuple[KnobState, ...] = ()
        self._observed = ""
        self._stale = False
        self._cursor = 0

    def get_content_height(self, _container: Size, _viewport: Size, _width: int) -> int:
        """A heading and a row per known knob, however few the engine tells of."""
        return 1 + len(KNOBS)

    def show(self, frame: Frame) -> None:
        """Draw the knobs of `frame`."""
        self._knobs = frame.knobs
        self._stale = frame.stale
        self._observed = "" if frame.run is None else outside(frame.run.info.reason, 200)
        self._cursor = min(self._cursor, max(0, len(self._knobs) - 1))
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """A heading and a row per knob, the chosen one lit while the list has the focus."""
        rows, sizes = _laid_out(self._knobs, self.size.width)
        headings = zip(_HEADINGS[2:], sizes[2:], strict=True)
        title: Line = (
            Span(pad("Knobs", sizes[0] + sizes[1]), "strong"),
            *(Span(pad(name, size), "quiet") for name, size in headings),
        )
        if not rows:
            why = self._observed or "the engine has told of none yet"
            return [title, (Span(f"none to turn: {why}", "quiet"),)]
        return [title, *(self._row(row, cells, sizes) for row, cells in enumerate(rows))]

    def _row(self, row: int, cells: Sequence[str], sizes: Sequence[int]) -> Line:
        knob = self._knobs[row]
        lit = self.has_focus and row == self._cursor
        plain, strong = ("cursor-quiet", "cursor") if lit else ("quiet", "strong")
        moved = knob.value != knob.start and knob.start is not None
        value_role = "cursor" if lit else "quiet" if self._stale else "money" if moved else "strong"
        roles = (strong if lit else "primary", strong if lit else "text", value_role, *[plain] * 3)
        spans = [Span(_apart(cells[n], sizes[n]), role) for n, role in enumerate(roles)]
        left = self.size.width - sum(sizes)
        if left > _LEAST_REASON:
            spans.append(Span(pad(outside(knob.reason, 120), left), plain))
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


def _laid_out(knobs: Sequence[KnobState], width: int) -> tuple[list[list[str]], list[int]]:
    """A row of cells per knob and the width of each column: roomy and with units where both fit."""
    for bounds in (bounds_with_unit, bounds_text):
        rows = [_cells(knob, bounds(knob)) for knob in knobs]
        needed = [
            max(cell_len(cell) + 1 for cell in column)
            for column in zip(_HEADINGS, *rows, strict=True)
        ]
        sizes = [max(pair) for pair in zip(needed, _ROOMY, strict=True)]
        if sum(sizes) <= width:
            return rows, sizes
    spare = width - sum(needed)
    for column in _AIRED[: max(0, spare)]:
        needed[column] += 1
    needed[1] += min(0, spare)
    return rows, needed


def _cells(knob: KnobState, bounds: str) -> list[str]:
    return [
        _KEY_OF.get(knob.name, ""),
        label(outside(knob.name, 40)),
        format_value(knob.value),
        format_value(knob.start),
        bounds,
        knob.kind if knob.lease_left_s is None else f"{_short(knob.lease_left_s)} left",
    ]


def _apart(cell: str, size: int) -> str:
    """A cell in its column, cut where it would touch the next one."""
    if size > 1 and cell_len(cell) >= size:
        cell = f"{cell[: size - 2]}…"
    return pad(cell, size)


def _short(seconds: float) -> str:
    """Seconds as a lease is glanced at."""
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"
