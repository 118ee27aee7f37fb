"""Canvas: a widget that draws lines and repaints only the rows that changed.

Textual repaints a dirty row of a widget from the widget's left edge, so what changes often sits
in small canvases of its own (a tile, a slice of a chart) and what seldom changes may be wide.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from app.tui.drawing.lines import Line, fit, width_of
from app.tui.drawing.paint import Palette, palette


class Canvas(Widget):
    """Draws what `draw` returns; call `redraw` when what it draws from has changed."""

    DEFAULT_CSS = "Canvas { height: 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._palette: Palette | None = None

    def draw(self) -> Sequence[Line]:
        """The lines to show in `self.size`; what does not fit is cut, missing lines are blank."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again and repaint what differs; before the first layout there is nothing to do."""
        width, height = self.size
        if width and height:
            self.paint([fit(line, width) for line in self.draw()][:height])

    def paint(self, lines: list[Line]) -> None:
        """Replace the lines; each one must already fit."""
        old, self._lines = self._lines, lines
        blank: Line = ()
        dirty: list[Region] = []
        for y in range(max(len(old), len(lines))):
            before = old[y] if y < len(old) else blank
            after = lines[y] if y < len(lines) else blank
            if before != after:
                self._strips.pop(y, None)
                dirty.append(Region(0, y, max(width_of(before), width_of(after)), 1))
        if dirty:
            self.refresh(*dirty)

    def render_line(self, y: int) -> Strip:
        """The strip of one row, made once per change of that row."""
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines[y] if y < len(self._lines) else ()
            styles = self._palette
            if styles is None:
                styles = palette(self.app.theme_variables, self.background_colors[1])
                self._palette = styles
            segments = [Segment(text, styles[role]) for text, role in line]
            strip = Strip(segments).adjust_cell_length(self.size.width, styles["text"])
            self._strips[y] = strip
        return strip

    def notify_style_update(self) -> None:
        """Colours may have changed: nothing drawn before holds."""
        self._strips.clear()
        self._palette = None
        super().notify_style_update()

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size."""
        self._strips.clear()
        self._lines = []
        self.redraw()
        self.refresh()
