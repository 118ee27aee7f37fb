"""Text from outside made safe to store and show."""

from __future__ import annotations


def printable(text: str, limit: int = 200) -> str:
    """`text` without control characters (each becomes `\N{REPLACEMENT CHARACTER}`), cut at `limit`.

    It is not escaped for markup: whoever shows it does that.
    """
    clean = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1]
    )
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
