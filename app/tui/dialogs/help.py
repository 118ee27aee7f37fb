"""The help: keys out of the key table, and what the figures mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from app.tui.dialogs.dialog import Dialog, table
from app.tui.drawing.figures import MISSING
from app.tui.drawing.lines import Line, Span, outside, pad
from app.tui.keys.key_table import main_table, swap_table
from store.metrics.specs import SPECS

_KEY_WIDTH = 9
_FIGURE_WIDTH = 16
_WIDEST = 72
_FIGURES = (
    ("cost/request", "what the engine's GPUs (or host) cost ÷ requests finished"),
    ("cache hit rate", "prompt tokens answered from the prefix cache ÷ prompt tokens"),
    ("TTFT p95", "time to first token that 95 % of requests stay under"),
    ("active", "part of the time with a request in flight"),
    ("interval", "95 %, from blocks of 10 s before and after the change"),
    (MISSING, "not known; never 0"),
)


class HelpDialog(Dialog[None]):
    """Keys and figures; any of escape, ?, q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q", "leave", "Close", show=False),
    ]

    def __init__(self, unknown: Mapping[str, str]) -> None:
        super().__init__()
        self._unknown = unknown

    def compose(self) -> ComposeResult:
        """One table in a box that scrolls where the terminal is small."""
        with VerticalScroll(id="box"):
            yield table(help_lines(self._unknown))


def help_lines(unknown: Mapping[str, str]) -> list[Line]:
    """The keys of the main screen, the figures and why some are `unknown` now, the keys of the swap
    screen."""
    return [
        *_section("Keys", main_table(), _KEY_WIDTH, "primary"),
        (),
        *_section("Figures", _FIGURES, _FIGURE_WIDTH, "quiet"),
        *_unknown_now(unknown),
        (),
        *_section("Keys of the swap screen", swap_table(), _KEY_WIDTH, "primary"),
    ]


def _unknown_now(unknown: Mapping[str, str]) -> Iterator[Line]:
    """Each cause in full, and below it the figures that it takes."""
    labels: dict[str, list[str]] = {}
    for name, reason in unknown.items():
        labels.setdefault(reason, []).append(SPECS[name].label)
    if labels:
        yield ()
        yield (Span("Unknown now", "strong"),)
    for reason, names in labels.items():
        for text in wrap(outside(reason, 400), _WIDEST):
            yield (Span(text),)
        for text in wrap(", ".join(names), _WIDEST - 2):
            yield (Span(f"  {text}", "quiet"),)


def _section(title: str, rows: Iterable[tuple[str, str]], width: int, role: str) -> Iterator[Line]:
    yield (Span(title, "strong"),)
    for name, meaning in rows:
        yield (Span(pad(name, width), role), Span(meaning))
