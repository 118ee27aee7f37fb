"""The cells, and the table that is written of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from tests.crossings.acts import ACTS, WITHOUT_ROW, Act
from tests.crossings.faults import FAULTS, Fault
from tests.crossings.promises import promise

CELLS: dict[str, tuple[Act, Fault]] = {
    f"{act.name}-{fault.name}": (act, fault)
    for act, fault in product(ACTS, FAULTS)
    if fault.fits(act)
}

_HEAD = """# Acts beside faults

`make crossings` does each act on a stand-in engine under a real supervisor, lets a fault strike in
its midst, and writes this table. In every cell also: a process of somebody else's lives on, another
change of a knob and a stop work afterwards (after a swap and an adoption also another swap), and
then no process of trimtab's and no record of the engine is left.
"""

LIVE_TITLE = "## Swaps on a real engine"


def as_markdown(passed: Mapping[str, bool]) -> str:
    """The table by act, and why the other commands have no row."""
    parts = [_HEAD]
    for act in ACTS:
        rows = [
            f"| {fault.name} | {promise(act, fault).words} | {word(passed[cell])} |"
            for cell, (other, fault) in CELLS.items()
            if other is act
        ]
        head = ["| fault | what must follow | |", "| --- | --- | --- |"]
        parts.append("\n".join([f"## {act.name}", "", *head, *rows, ""]))
    rows = [f"| {command} | {why} |" for command, why in WITHOUT_ROW.items()]
    head = ["## Commands without a row", "", "| command | why |", "| --- | --- |"]
    parts.append("\n".join([*head, *rows, ""]))
    return "\n".join(parts)


def live_part(document: str) -> str:
    """The part of a table that another target writes; it is the last."""
    _, title, rows = document.partition(LIVE_TITLE)
    return title + rows


def word(passed: bool) -> str:
    """How a cell came out."""
    return "passed" if passed else "FAILED"
