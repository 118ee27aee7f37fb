"""Roles to colours: what a `Span`'s role looks like in the theme in force, on a background.

Textual could do this with component classes, but it makes a styled node for each role of each
widget: for this screen 900 of them, a tenth of the time until it shows its first figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.color import Color


@dataclass(frozen=True, slots=True)
class Paint:
    """A role's colours: variables of the theme, each with the share of it that is mixed in."""

    colour: str = "foreground"
    share: float = 1.0
    bold: bool = False
    background: str | None = None
    background_share: float = 1.0


PAINTS: dict[str, Paint] = {
    "text": Paint(),
    "quiet": Paint(share=0.62),
    "faint": Paint(share=0.28),
    "strong": Paint(bold=True),
    "money": Paint("accent", bold=True),
    "primary": Paint("primary"),
    "second": Paint("secondary"),
    "good": Paint("success"),
    "bad": Paint("error"),
    "warn": Paint("warning"),
    "mark": Paint(share=0.78),
    "cursor": Paint(bold=True, background="primary", background_share=0.26),
    "cursor-quiet": Paint(share=0.70, background="primary", background_share=0.26),
    "cursor-good": Paint("success", background="primary", background_share=0.26),
    "cursor-bad": Paint("error", background="primary", background_share=0.26),
    "cursor-warn": Paint("warning", background="primary", background_share=0.26),
    "alarm": Paint("background", bold=True, background="error"),
    "chip": Paint("background", background="foreground", background_share=0.70),
}

Palette = Mapping[str, Style]


def palette(variables: Mapping[str, str], background: Color) -> Palette:
    """The style of every role on this background, from a theme's colour variables."""
    used = {paint.colour for paint in PAINTS.values()}
    used |= {paint.background for paint in PAINTS.values() if paint.background is not None}
    return _palette(tuple(sorted((name, variables[name]) for name in used)), background)


@lru_cache(maxsize=16)
def _palette(colours: tuple[tuple[str, str], ...], background: Color) -> Palette:
    parsed = {name: Color.parse(value) for name, value in colours}
    return {role: _style(paint, parsed, background) for role, paint in PAINTS.items()}


def _style(paint: Paint, colours: Mapping[str, Color], behind: Color) -> Style:
    if paint.background is not None:
        behind += colours[paint.background].multiply_alpha(paint.background_share)
    front = behind + colours[paint.colour].multiply_alpha(paint.share)
    return Style(color=front.rich_color, bgcolor=behind.rich_color, bold=paint.bold or None)
