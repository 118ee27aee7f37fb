"""What commands print: data on stdout (JSON or a table), messages on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Literal

from app.text.encoding import is_utf8
from store.errors import TrimtabError
from store.foreign_text import printable

Justify = Literal["left", "right"]

UNKNOWN = "\N{EN DASH}"
"""How a value that is not known is written for people."""
LONGEST_LINE = 10_000
"""So many characters of a line, or of a table's cell, are printed."""


def print_json(value: object) -> None:
    """One JSON document on stdout. NaN is refused: an unknown value is null."""
    document = json.dumps(value, indent=2, ensure_ascii=not is_utf8(sys.stdout), allow_nan=False)
    # A file's name that is no UTF-8 holds halves of surrogate pairs, which nothing can write.
    text = document.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """One line of data on stdout."""
    sys.stdout.write(printable(text, LONGEST_LINE) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for a person on stderr."""
    sys.stderr.write(printable(text, LONGEST_LINE) + "\n")
    sys.stderr.flush()


def print_table(
    columns: Sequence[tuple[str, Justify]],
    rows: Iterable[Sequence[str]],
    *,
    title: str = "",
    dense: bool = False,
) -> None:
    """A table on stdout, as wide as the terminal; whole, unwrapped lines where there is none. A
    `dense` one has two spaces between columns and none at its edges."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class Quitting(Console):
        """Lets a reader that has gone end the command as it ends any other."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    terminal = sys.stdout.isatty()
    console = Quitting(file=sys.stdout, width=None if terminal else 400, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if dense:
        table.show_edge, table.padding = False, (0, 1, 0, 0)
    for name, justify in columns:
        table.add_column(Text(name), justify=justify, overflow="fold" if terminal else "ignore")
    for row in rows:
        table.add_row(*(Text(printable(cell, LONGEST_LINE)) for cell in row))
    if title:
        console.print(Text(printable(title, LONGEST_LINE)))
    console.print(table)


def error_json(error: TrimtabError) -> dict[str, object]:
    """The object printed on stdout when a command with --json fails."""
    return {
        "error": {
            "kind": type(error).__name__,
            "what": error.what,
            "meaning": error.meaning,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
    }
