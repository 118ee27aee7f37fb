"""Text from outside (an engine, a log, a file, another user) made safe to store and to show."""

from __future__ import annotations

from itertools import islice

LONGEST_REMARK = 400
"""So many characters of a reason or a note are kept."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, limit: int = 200, replacement: str = REPLACEMENT) -> str:
    """`text` in one line of at most `limit` characters, with an ellipsis where it was cut.

    Characters that command a terminal or deceive a reader (control, direction, zero width, line
    ends, halves of a surrogate pair, private use) each become `replacement`, one character or none.
    It is not escaped for markup: whoever shows it does that.
    """
    line = text[: limit + 1]
    if not line.isprintable():
        characters = (character if character.isprintable() else replacement for character in text)
        line = "".join(islice(filter(None, characters), limit + 1))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def is_text(value: object) -> bool:
    """Whether a value out of JSON is a text that can be sent back: halves of a surrogate pair
    cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def remark(text: str) -> str:
    """What a person wrote beside an act, as it is kept: one line, as `printable` makes it."""
    return printable(text.strip(), LONGEST_REMARK)


def for_spreadsheet(text: str) -> str:
    """A cell that a spreadsheet takes for text: one that begins like a formula would be run."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
