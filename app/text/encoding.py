"""Terminals and files that cannot take every character: plain letters stand in."""

from __future__ import annotations

import codecs
import io
from typing import TextIO

_PLAIN = {
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{BLACK CIRCLE}": "*",
    "\N{WHITE CIRCLE}": "o",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "-",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{MIDDLE DOT}": "*",
    "\N{SUPERSCRIPT TWO}": "2",
    "\N{INTEGRAL}": "sum",
}
_HANDLER = "trimtab-plain"


def is_utf8(stream: TextIO) -> bool:
    """Whether a stream takes every character."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def take_what_can_be_written(*streams: TextIO) -> None:
    """Let each stream write plain letters where its encoding has not the ones that are asked for,
    and `?` for those that have no plain form."""
    codecs.register_error(_HANDLER, _plainly)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and not is_utf8(stream):
            stream.reconfigure(errors=_HANDLER)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in characters), error.end
