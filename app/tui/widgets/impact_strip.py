"""The impact strip: what the last change did, with its doubt, growing block by block.

Also where an act is told while it is on its way: requested, then applied (with the time the engine
took) or refused (with the reason).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.tui.effects import VERDICT_ROLES, change_text, interval_text
from app.tui.figures import MISSING, ago, brief, figure
from app.tui.frame import Frame
from app.tui.knob_names import label, moved
from app.tui.lines import Line, Span, fit, outside, pad, spread
from app.tui.widgets.canvas import Canvas

if TYPE_CHECKING:
    from store.compare import Effect
    from store.impact import Impact

SHOWN = (
    ("cost_per_request_usd", "cost/request"),
    ("generation_rate", "output"),
    ("cache_hit_rate", "hit rate"),
    ("ttft_p95", "TTFT p95"),
)
_COLUMNS = (13, 13, 2, 13, 8, 13)
_TABLE_WIDTH = sum(_COLUMNS)
_PAIR_WIDTH = 38
_BRIEF = {"cost_per_request_usd": "cost/req", "generation_rate": "tok/s"}


@dataclass(frozen=True, slots=True)
class Act:
    """An act as the operator follows it: `phase` is requested, done or failed."""

    phase: str
    text: str


_ACT_ROLES = {"requested": "warn", "done": "good", "failed": "bad"}


class ImpactStrip(Canvas):
    """The last change: before → after of four metrics."""

    def __init__(self) -> None:
        super().__init__(id="impact")
        self._frame: Frame | None = None
        self._act: Act | None = None

    def show(self, frame: Frame, act: Act | None) -> None:
        """Draw the impact of `frame` and the act on its way, if any."""
        self._frame, self._act = frame, act
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """A title, the change, then a table, or pairs where there is no room for one."""
        width, height = self.size
        frame = self._frame
        impact = None if frame is None else frame.impact
        if frame is None or impact is None:
            lines: list[Line] = [(Span("Impact", "strong"),)]
            if self._act is not None:
                lines.append(_act_line(self._act))
            lines.append((Span("Turn a knob: what it does to cost, tokens/s,", "quiet"),))
            lines.append((Span("hit rate and TTFT appears here, with its doubt.", "quiet"),))
            return lines
        wide = height >= 6 and width >= _TABLE_WIDTH
        return [
            _title(frame, impact, self._act, width),
            *(_table(impact) if wide else _pairs(impact, width)),
            *(_reasons(impact) if wide else ()),
        ]


def _act_line(act: Act) -> Line:
    return (Span(outside(act.text), _ACT_ROLES.get(act.phase, "text")),)


def _title(frame: Frame, impact: Impact, act: Act | None, width: int) -> Line:
    if act is not None:
        return fit((Span("Impact  ", "strong"), *_act_line(act)), width)
    change = impact.change
    letter = frame.letters.get(change.id, "")
    took = "" if change.took_ms is None else f"  in {change.took_ms:.1f} ms"
    left: Line = (
        Span("Impact  ", "strong"),
        Span(f"{letter} {outside(moved(change), 80)}".strip(), "mark"),
        Span(f"{took}  {ago(frame.now_ms - change.ts_ms)} ago", "quiet"),
    )
    comparison = impact.comparison
    verdict = "gathering" if comparison is None else comparison.verdict
    before, after = impact.blocks
    right: Line = (
        Span(f"{before}+{after} blocks  ", "quiet"),
        Span(verdict, VERDICT_ROLES.get(verdict, "text")),
    )
    return spread(left, right, width)


def _effects(impact: Impact) -> list[tuple[str, str, Effect | None]]:
    metrics = {} if impact.comparison is None else impact.comparison.metrics
    return [(name, words, metrics.get(name)) for name, words in SHOWN]


def _table(impact: Impact) -> list[Line]:
    names = ("", "before", "", "after", "change", "95 % interval")
    lines: list[Line] = [
        tuple(Span(pad(name, size), "quiet") for name, size in zip(names, _COLUMNS, strict=True))
    ]
    for name, words, effect in _effects(impact):
        if effect is None:
            lines.append((Span(pad(words, _COLUMNS[0]), "quiet"), Span(MISSING, "quiet")))
            continue
        role = VERDICT_ROLES.get(effect.verdict or "", "quiet")
        lines.append(
            (
                Span(pad(words, _COLUMNS[0]), "quiet"),
                Span(pad(str(figure(name, effect.a)), _COLUMNS[1])),
                Span(pad("→", _COLUMNS[2]), "quiet"),
                Span(pad(str(figure(name, effect.b)), _COLUMNS[3]), "strong"),
                Span(pad(change_text(effect), _COLUMNS[4]), role),
                Span(pad(interval_text(name, effect), _COLUMNS[5]), "quiet"),
            )
        )
    return lines


def _reasons(impact: Impact) -> list[Line]:
    before, after = impact.blocks
    counts = f"{before} blocks of 10 s before, {after} after"
    if impact.together:
        counts += f"; changed together with {', '.join(label(name) for name in impact.together)}"
    comparison = impact.comparison
    reasons = [] if comparison is None else comparison.reasons
    return [
        (Span(counts, "quiet"),),
        *((Span(outside(reason, 200), "quiet"),) for reason in reasons),
    ]


def _pairs(impact: Impact, width: int) -> list[Line]:
    """Two metrics a row: label, before → after, the change and its interval."""
    shown = [
        _pair(name, _BRIEF.get(name, words), effect) for name, words, effect in _effects(impact)
    ]
    across = max(1, width // _PAIR_WIDTH)
    size = width // across
    rows: list[Line] = []
    for start in range(0, len(shown), across):
        row: list[Span] = []
        for pair in shown[start : start + across]:
            kept = fit(pair, size - 2)
            used = sum(len(span.text) for span in kept)
            row += [*kept, Span(" " * (size - used))]
        rows.append(tuple(row))
    return rows


def _pair(name: str, words: str, effect: Effect | None) -> Line:
    if effect is None:
        return (Span(f"{words} ", "quiet"), Span(MISSING, "quiet"))
    role = VERDICT_ROLES.get(effect.verdict or "", "quiet")
    before, after = brief(name, effect.a), brief(name, effect.b)
    return (
        Span(f"{words} ", "quiet"),
        Span(f"{before}→", "quiet"),
        Span(after, "strong"),
        Span(f" {change_text(effect)}", role),
        Span(f" {interval_text(name, effect)}", "quiet"),
    )
