"""A chart of one or two metrics over time, with a vertical mark at each change.

The plot is cut into slices, each a canvas: a new sample repaints from the left edge of its slice,
not of the chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget

from app.tui.canvases.painted import Painted
from app.tui.drawing.figures import tick
from app.tui.drawing.lines import Line, Span, cells, fit, pad
from app.tui.drawing.plot import SLOTS_PER_CELL, first_slot, labels, nice_ceiling, plot, time_axis
from app.tui.feed.chart_specs import ChartSpec
from app.tui.feed.frame import Frame, Mark, Series

SLICES = 4
_GUTTER = 7


class Chart(Widget):
    """Title, scale, slices of the plot, and a time axis."""

    def __init__(self, spec: ChartSpec) -> None:
        super().__init__(id=f"chart-{spec.id}", classes="chart")
        self._spec = spec
        self._title = Painted("chart-title")
        self._scale = Painted("chart-scale")
        self._slices = tuple(Painted("chart-slice") for _ in range(SLICES))
        self._key: object = None
        self._frame: Frame | None = None

    def compose(self) -> ComposeResult:
        """The title above the scale and the slices."""
        yield self._title
        yield Horizontal(self._scale, *self._slices)

    def show(self, frame: Frame) -> None:
        """Draw for `frame`, where something the chart shows has changed."""
        self._frame = frame
        key = (frame.series, frame.marks, frame.range, frame.prices)
        if key != self._key and self._draw(frame):
            self._key = key

    def on_resize(self, _event: events.Resize) -> None:
        """The slices have their sizes only after the layout: draw then."""
        self._key = None
        self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        if self._frame is not None:
            self.show(self._frame)

    def _draw(self, frame: Frame) -> bool:
        width = sum(part.size.width for part in self._slices)
        height = self._scale.size.height
        if width < SLICES or height < 4:
            return False
        view = _View.of(frame.series, self._spec, width)
        rows = height - 2
        note = frame.prices or self._spec.note if self._spec.priced else self._spec.note
        self._title.tell([_title(self._spec, note, self._title.size.width)])
        self._scale.tell(_scale(self._spec, view.top, rows))
        body = _body(self._spec, view, frame.marks, rows, width)
        at = 0
        for part in self._slices:
            end = at + part.size.width
            part.tell([cells(line, at, end) for line in body])
            at = end
        return True


@dataclass(frozen=True, slots=True)
class _View:
    """The slots in sight and the top of the scale; None while nothing is in sight."""

    series: Series | None
    first: int
    slots: int
    top: float | None

    @classmethod
    def of(cls, series: Series | None, spec: ChartSpec, width: int) -> _View:
        slots = width * SLOTS_PER_CELL
        if series is None:
            return cls(None, 0, slots, spec.ceiling)
        first = first_slot(series.last_slot, slots)
        seen = [
            value
            for line in spec.lines
            for slot, value in series.values.get(line.metric, {}).items()
            if slot >= first
        ]
        top = spec.ceiling or (nice_ceiling(max(seen) * 1.02) if seen else None)
        return cls(series, first, slots, top)

    def values(self, metric: str) -> list[float | None]:
        """The metric's value in every slot in sight."""
        if self.series is None:
            return [None] * self.slots
        known = self.series.values.get(metric, {})
        return [known.get(slot) for slot in range(self.first, self.first + self.slots)]


def _title(spec: ChartSpec, note: str, width: int) -> Line:
    noted = (Span(f"  {note}", "quiet"),) if note else ()
    legend: list[Span] = []
    if len(spec.lines) > 1:
        for line in spec.lines:
            legend += [Span("  ━ ", line.role), Span(line.legend, "quiet")]
    return fit((Span(spec.title, "strong"), *noted, *legend), width)


def _scale(spec: ChartSpec, top: float | None, rows: int) -> list[Line]:
    """The scale's labels beside the plot: the row of mark labels, the plot, the time axis. Nothing
    measured, no scale."""
    if top is None:
        return []
    metric = spec.lines[0].metric
    shown: dict[int, str] = {0: tick(metric, top), rows - 1: "0"}
    if rows >= 5:
        shown[(rows - 1) // 2] = tick(metric, top / 2)
    blank: Line = ()
    plotted = [
        (Span(pad(shown.get(row, ""), _GUTTER - 1, right=True), "quiet"),) for row in range(rows)
    ]
    return [blank, *plotted, blank]


def _body(spec: ChartSpec, view: _View, marks: Sequence[Mark], rows: int, width: int) -> list[Line]:
    if view.series is None:
        return []
    slot_ms = view.series.slot_ms
    first_ms = view.first * slot_ms
    cell_ms = slot_ms * SLOTS_PER_CELL
    placed = [
        ((mark.ts_ms - first_ms) // cell_ms, mark.letter, mark.text)
        for mark in marks
        if 0 <= mark.ts_ms - first_ms < cell_ms * width
    ]
    drawn = plot(
        [(view.values(line.metric), line.role) for line in reversed(spec.lines)],
        view.top or 1.0,
        rows,
        [cell for cell, _, _ in placed],
    )
    return [labels(placed, width), *drawn, time_axis(first_ms, cell_ms, width)]
