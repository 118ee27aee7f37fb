"""A dialog with the comparison of the baseline and now."""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from app.text.effects import change_text, interval_text
from app.tui.dialogs.dialog import Dialog, table
from app.tui.drawing.effects import VERDICT_ROLES, role_of
from app.tui.drawing.figures import figure
from app.tui.drawing.lines import Line, Span, outside, pad
from app.tui.feed.comparing import Compared
from store.metrics.measure import SPECS

COMPARED_METRICS = (
    "cost_per_request_usd",
    "active_cost_per_request_usd",
    "usd_per_million_output_tokens",
    "request_rate",
    "generation_rate",
    "prompt_rate",
    "cache_hit_rate",
    "ttft_p50",
    "ttft_p95",
    "itl_p95",
    "e2e_p95",
    "running_mean",
    "waiting_mean",
    "kv_usage_mean",
    "active_fraction",
    "prompt_tokens_per_request",
    "output_tokens_per_request",
)
_WIDTHS = (20, 13, 13, 9, 18)


class CompareDialog(Dialog[None]):
    """The table; any of escape, c, q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c,q", "leave", "Close", show=False),
    ]

    def __init__(self, compared: Compared) -> None:
        super().__init__()
        self._compared = compared

    def compose(self) -> ComposeResult:
        """One table in a box that scrolls where the terminal is small."""
        with VerticalScroll(id="box"):
            yield table(comparison_lines(self._compared))


def comparison_lines(compared: Compared) -> list[Line]:
    """Verdict, reasons, then a line per metric."""
    comparison = compared.comparison
    blank: Line = ()
    lines: list[Line] = [
        (
            Span(outside(compared.baseline, 60), "strong"),
            Span("  against  ", "quiet"),
            Span(compared.after, "strong"),
            Span("   "),
            Span(comparison.verdict, VERDICT_ROLES.get(comparison.verdict, "text")),
        ),
        *(
            (Span(row, "warn"),)
            for reason in comparison.reasons
            for row in wrap(outside(reason, 400), sum(_WIDTHS))
        ),
        blank,
        tuple(
            Span(pad(name, width, right=0 < number < 4), "quiet")
            for number, (name, width) in enumerate(
                zip(("", "baseline", "now", "change", "  interval"), _WIDTHS, strict=True)
            )
        ),
    ]
    for name in COMPARED_METRICS:
        effect = comparison.metrics.get(name)
        if effect is None:
            continue
        lines.append(
            (
                Span(pad(SPECS[name].label, _WIDTHS[0]), "quiet"),
                Span(pad(str(figure(name, effect.a)), _WIDTHS[1], right=True)),
                Span(pad(str(figure(name, effect.b)), _WIDTHS[2], right=True), "strong"),
                Span(pad(change_text(name, effect), _WIDTHS[3], right=True), role_of(effect)),
                Span(pad("  " + interval_text(name, effect), _WIDTHS[4]), "quiet"),
            )
        )
    return lines
