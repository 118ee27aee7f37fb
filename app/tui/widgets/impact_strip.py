"""The impact strip: what the last change did, with its doubt, growing second by second.

Also where an act is told while it is on its way: requested, then applied (with the time the engine
took) or refused (with the reason).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from app.text.clock import clock_time
from app.text.durations import format_duration, format_took
from app.text.effects import change_text, interval_text
from app.text.outlook import outlook
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.changes import moved
from app.tui.drawing.effects import VERDICT_ROLES, brief_line, role_of
from app.tui.drawing.figures import MISSING, figure
from app.tui.drawing.lines import Line, Span, fit, outside, pad, spread, width_of
from app.tui.feed.frame import Frame
from app.tui.feed.impacts import IMPACT_METRICS
from store.compare.sides.blocks import FEWEST_BLOCKS
from store.knobs.specs import label

if TYPE_CHECKING:
    from store.compare.comparison import Effect
    from store.compare.impact import Impact

_LABELS = {
    "cost_per_request_usd": ("cost/request", "cost/req"),
    "generation_rate": ("output", "tok/s"),
    "cache_hit_rate": ("hit rate", "hit rate"),
    "ttft_p95": ("TTFT p95", "TTFT p95"),
}
"""A metric's label in the table, and where there is no room for a table."""

_COLUMNS = (13, 13, 2, 13, 8, 13)
_HEADINGS = ("", "before", "", "after", "change", "interval")
_TABLE_WIDTH = sum(_COLUMNS)
_TABLE_HEIGHT = 6
_PAIR_WIDTH = 38
_ACT_ROLES = {"requested": "warn", "done": "good", "failed": "bad"}


@dataclass(frozen=True, slots=True)
class Act:
    """An act as the operator follows it: `phase` is requested, done or failed."""

    phase: str
    text: str


class ImpactStrip(Canvas):
    """The last change: before and after of four metrics."""

    def __init__(self) -> None:
        super().__init__(id="impact")
        self._frame: Frame | None = None
        self._act: Act | None = None

    def show(self, frame: Frame, act: Act | None) -> None:
        """Draw the impact of `frame` and the act on its way, if any."""
        self._frame, self._act = frame, act
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """A title with the change or the act, then a table, or pairs where there is no room."""
        width, height = self.size
        frame, act = self._frame, self._act
        impact = None if frame is None else frame.impact
        if frame is None or impact is None:
            return [_told(act) if act else (Span("Impact", "strong"),), *_invitation(width)]
        wide = height >= _TABLE_HEIGHT and width >= _TABLE_WIDTH
        title = _told(act) if act else _title(frame, impact, width, wide=wide)
        if wide:
            return [fit(title, width), *_table(impact), *_notes(impact, width)]
        return [fit(title, width), *_pairs(impact, width)]


def _told(act: Act) -> Line:
    return (Span("Impact  ", "strong"), Span(outside(act.text), _ACT_ROLES.get(act.phase, "text")))


def _invitation(width: int) -> list[Line]:
    text = "Turn a knob: what it does to cost, tokens/s, hit rate and TTFT appears here."
    return [(Span(row, "quiet"),) for row in wrap(text, max(20, width))]


def _title(frame: Frame, impact: Impact, width: int, *, wide: bool) -> Line:
    change = impact.change
    took = "" if change.took_ms is None else f"  in {format_took(change.took_ms)}"
    name = f"{frame.letters.get(change.id, '')} {outside(moved(change), 80)}".strip()
    left: Line = (
        Span("Impact  ", "strong"),
        Span(name, "mark"),
        Span(f"{took}  at {clock_time(change.ts_ms)}", "quiet"),
    )
    counts = "" if wide else _measured(impact)
    verdict = _verdict(impact)
    right: Line = (Span(counts, "quiet"), Span(verdict, VERDICT_ROLES.get(verdict, "text")))
    return spread(left, right, width)


def _verdict(impact: Impact) -> str:
    """The verdict, or what is waited for and how long."""
    comparison = impact.comparison
    if impact.was_put_back:
        return "put back at once"
    if comparison is None or not min(impact.seconds):
        is_first = impact.before.to_ms <= impact.before.from_ms
        return "nothing before it" if is_first else "gathering"
    if comparison.windows[0].blocks < FEWEST_BLOCKS:
        return "too little before it"
    if comparison.verdict == "too few blocks" and comparison.expected_s:
        return f"gathering, {format_duration(math.ceil(comparison.expected_s))} more"
    return comparison.verdict


def _measured(impact: Impact) -> str:
    before, after = (format_duration(round(seconds)) for seconds in impact.seconds)
    return f"{before}+{after}  "


def _effects(impact: Impact) -> list[tuple[str, str, str, Effect | None]]:
    """Each metric shown, with its effect where both sides hold something of use."""
    comparison = impact.comparison if min(impact.seconds) else None
    metrics = {} if comparison is None else comparison.metrics
    return [(name, *_LABELS[name], metrics.get(name)) for name in IMPACT_METRICS]


def _table(impact: Impact) -> list[Line]:
    headings = zip(_HEADINGS, _COLUMNS, strict=True)
    lines: list[Line] = [tuple(Span(pad(name, size), "quiet") for name, size in headings)]
    for name, words, _, effect in _effects(impact):
        if effect is None:
            lines.append((Span(pad(words, _COLUMNS[0]), "quiet"), Span(MISSING, "quiet")))
            continue
        lines.append(
            (
                Span(pad(words, _COLUMNS[0]), "quiet"),
                Span(pad(str(figure(name, effect.a)), _COLUMNS[1])),
                Span(pad("→", _COLUMNS[2]), "quiet"),
                Span(pad(str(figure(name, effect.b)), _COLUMNS[3]), "strong"),
                Span(pad(change_text(name, effect), _COLUMNS[4]), role_of(effect)),
                Span(pad(interval_text(name, effect), _COLUMNS[5]), "quiet"),
            )
        )
    return lines


def _notes(impact: Impact, width: int) -> list[Line]:
    """How much was measured, what it could show, and what else there is to know."""
    before, after = (format_duration(round(seconds)) for seconds in impact.seconds)
    notes = f"{before} before, {after} after"
    comparison = impact.comparison
    if comparison is not None:
        notes += "".join(f"; {note}" for note in outlook(comparison))
    if impact.together:
        notes += f"; changed together with {', '.join(label(name) for name in impact.together)}"
    reasons = [] if comparison is None else comparison.reasons
    rows = [row for text in (notes, *reasons) for row in wrap(outside(text, 400), width)]
    return [(Span(row, "quiet"),) for row in rows]


def _pairs(impact: Impact, width: int) -> list[Line]:
    """As many metrics a row as fit, each with its change and interval."""
    shown = [_brief(name, words, effect) for name, _, words, effect in _effects(impact)]
    across = max(1, width // _PAIR_WIDTH)
    size = width // across
    rows: list[Line] = []
    for start in range(0, len(shown), across):
        row: list[Span] = []
        for pair in shown[start : start + across]:
            kept = fit(pair, size - 1)
            row += [*kept, Span(" " * (size - width_of(kept)))]
        rows.append(tuple(row))
    return rows


def _brief(name: str, words: str, effect: Effect | None) -> Line:
    if effect is None:
        return (Span(f"{words} ", "quiet"), Span(MISSING, "quiet"))
    return brief_line(words, name, effect)
