"""The tiles: the figures of the range, a label above and the value below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.widget import Widget

from app.tui.canvases.canvas import Canvas
from app.tui.drawing.figures import MISSING, Figure, figure
from app.tui.drawing.lines import Line, Span
from app.tui.feed.frame import Frame


@dataclass(frozen=True, slots=True)
class TileSpec:
    """A tile: the metric it shows, its label, its role, and whether it needs requests to mean
    anything (an idle window has no cost per request)."""

    metric: str
    label: str
    role: str = "strong"
    per_request: bool = False


TILES = (
    TileSpec("cost_per_request_usd", "cost/request", "money", per_request=True),
    TileSpec("usd_per_million_output_tokens", "cost/M output", "money", per_request=True),
    TileSpec("generation_rate", "output"),
    TileSpec("prompt_rate", "input"),
    TileSpec("request_rate", "requests"),
    TileSpec("cache_hit_rate", "cache hit rate", per_request=True),
    TileSpec("ttft_p95", "TTFT p95", per_request=True),
    TileSpec("running_mean", "running·waiting"),
    TileSpec("kv_usage_mean", "KV usage"),
    TileSpec("active_fraction", "active"),
)


class Tile(Canvas):
    """One figure: two rows, of which only the value's is repainted."""

    def __init__(self, spec: TileSpec) -> None:
        super().__init__(classes="tile")
        self._spec = spec
        self._value: Line = ()

    def show(self, frame: Frame) -> None:
        """Draw the figure of `frame`."""
        value = _VALUES.get(self._spec.metric, _plain)(frame, self._spec)
        if value != self._value:
            self._value = value
            self.redraw()

    def draw(self) -> Sequence[Line]:
        """Label, then value."""
        return [(Span(self._spec.label, "quiet"),), self._value]


def _figure(shown: Figure, role: str, *, stale: bool) -> Line:
    if shown.number == MISSING:
        return (Span(MISSING, "quiet"),)
    unit = (Span(f" {shown.unit}", "quiet"),) if shown.unit else ()
    return (Span(shown.number, "quiet" if stale else role), *unit)


def _plain(frame: Frame, spec: TileSpec) -> Line:
    if frame.idle and spec.per_request:
        return (Span("no traffic", "quiet"),)
    return _figure(
        figure(spec.metric, frame.metrics.get(spec.metric)), spec.role, stale=frame.stale
    )


def _queue(frame: Frame, spec: TileSpec) -> Line:
    """Running and waiting requests, means of the range."""
    running = figure("running_mean", frame.metrics.get("running_mean"))
    waiting = figure("waiting_mean", frame.metrics.get("waiting_mean"))
    if running.number == MISSING:
        return (Span(MISSING, "quiet"),)
    role = "quiet" if frame.stale else spec.role
    return (Span(running.number, role), Span(" · ", "quiet"), Span(waiting.number, role))


_VALUES: dict[str, Callable[[Frame, TileSpec], Line]] = {"running_mean": _queue}


class Tiles(Widget):
    """All tiles in a grid; the stylesheet says how many a row."""

    def __init__(self) -> None:
        super().__init__(id="tiles")

    def compose(self) -> ComposeResult:
        """One tile per spec."""
        for spec in TILES:
            yield Tile(spec)

    def show(self, frame: Frame) -> None:
        """Draw every tile for `frame`."""
        for tile in self.query_children(Tile):
            tile.show(frame)
