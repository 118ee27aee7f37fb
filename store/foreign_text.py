"""Text from outside (an engine, a log, a file, another user) made safe to store and to show."""

from __future__ import annotations

from itertools import islice

LONGEST_REMARK = 400
"""So many characters of a reason or a note are kept."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, limit: int = 200, strange: str = REPLACEMENT) -> str:
    """`text` in one line of at most `limit` characters, with an ellipsis where it was cut.

    Characters that command a terminal or deceive a reader (control, direction, zero width, line
    ends, halves of a surrogate pair, private use) each become `strange`, one character or none.
    It is not escaped for markup: whoever shows it does that.
    """
    shown = text[: limit + 1]
    if not shown.isprintable():
        characters = (character if character.isprintable() else strange for character in text)
        shown = "".join(islice(filter(None, characters), limit + 1))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def remark(text: str) -> str:
    """What a person wrote beside an act, as it is kept: one line, as `printable` makes it."""
    return printable(text.strip(), LONGEST_REMARK)


def for_spreadsheet(text: str) -> str:
    """A cell that a spreadsheet takes for text: one that begins like a formula would be run."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
