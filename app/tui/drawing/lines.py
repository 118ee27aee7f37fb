"""Lines of text with roles: what widgets draw, as plain values.

A `Span` is a text and a role (`quiet`, `money`, `bad`, …); a `Line` is spans from left to right.
Roles become colours only in `paint`, so drawing functions are pure and themes stay out of them. A
width is counted in terminal cells.
"""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from store.foreign_text import printable

ELLIPSIS = "…"


class Span(NamedTuple):
    """A piece of a line and the role it plays."""

    text: str
    role: str = "text"


Line = tuple[Span, ...]


def width_of(line: Line) -> int:
    """Cells the line takes."""
    return sum(cell_len(span.text) for span in line)


def outside(text: str, limit: int = 200) -> str:
    """Text that came from an engine, safe for a terminal: each run of white space is a space."""
    return printable(" ".join(text[: 4 * limit].split()), limit)


def clip(text: str, width: int) -> str:
    """`text` in at most `width` cells, with an ellipsis where it was cut."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells, clipped or filled; `right` aligns it to the right."""
    shown = clip(text, width)
    fill = " " * (width - cell_len(shown))
    return fill + shown if right else shown + fill


def fit(line: Line, width: int) -> Line:
    """The line in at most `width` cells; the span that crosses the edge is clipped."""
    room = width
    kept: list[Span] = []
    for span in line:
        size = cell_len(span.text)
        if size > room:
            if room > 0:
                kept.append(Span(clip(span.text, room), span.role))
            break
        kept.append(span)
        room -= size
    return tuple(kept)


def cells(line: Line, start: int, stop: int) -> Line:
    """The cells [start, stop) of a line made of single-width characters only."""
    cut: list[Span] = []
    at = 0
    for span in line:
        end = at + len(span.text)
        if end > start and at < stop:
            cut.append(Span(span.text[max(0, start - at) : stop - at], span.role))
        at = end
    return tuple(cut)


def spread(left: Line, right: Line, width: int) -> Line:
    """`left` and `right` at the two edges; where both do not fit, the left one is clipped."""
    room = width - width_of(right)
    if room <= 0:
        return fit(left, width)
    kept = fit(left, room - 1) if right else fit(left, room)
    return (*kept, Span(" " * (room - width_of(kept))), *right)


def joined(parts: list[Line], gap: str = "  ") -> Line:
    """Non-empty lines one after another with `gap` between them."""
    out: list[Span] = []
    for part in parts:
        if part:
            if out:
                out.append(Span(gap))
            out.extend(part)
    return tuple(out)
