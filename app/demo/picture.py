"""A picture of the screen over a recorded ledger, as SVG, drawn by the program itself.

    python -m app.demo.picture OUT.svg [--db PATH] [--size 120x40]

The screen is run without a terminal at the moment of the ledger's last reading, so a past demo
gives the same picture as the running one.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from app.offers.offer import Offers, Wanted
from app.settings import paths
from app.settings.load import price_book
from app.settings.values import Settings
from app.text.output import say
from store.errors import NotAchieved, TrimtabError
from store.ledger.connection import Ledger
from store.records import Change, KnobValue, RunRow
from store.tables.engines import list_engines
from store.tables.recorders import acquire
from store.tables.runs import latest_run

AFTER_LAST_MS = 400
TICKS_S = 2.5
"""How long the screen gets to read a frame and draw it."""


class NoActions:
    """`app.tui.acting.actions.Actions` of a picture: there is nothing to act on."""

    def set_knob(self, shown: RunRow, knob: str, value: KnobValue) -> Change:
        """Refuse."""
        raise NotAchieved(f"A picture of {shown.info.url} changes no {knob} to {value}")

    def undo(self, shown: RunRow) -> Sequence[Change]:
        """Refuse."""
        raise NotAchieved(f"A picture of {shown.info.url} takes nothing back")

    def offers(self, engine_url: str) -> Offers:
        """Refuse."""
        raise NotAchieved(f"A picture of {engine_url} is swapped to nothing")

    def swap(self, engine_url: str, wanted: Wanted) -> None:
        """Refuse."""
        raise NotAchieved(f"A picture of {engine_url} is not swapped to {wanted.offer.name}")

    def call_off(self, engine_url: str) -> None:
        """Refuse."""
        raise NotAchieved(f"A picture of {engine_url} calls nothing off")

    def mark(self, engine_url: str, name: str, from_ms: int, to_ms: int) -> None:
        """Refuse."""
        raise NotAchieved(f"A picture of {engine_url} keeps no {name} ({from_ms} to {to_ms})")


def copy_as_recorded(db: Path, directory: Path) -> tuple[Path, str, int]:
    """A copy of the ledger as it stood at its last reading, when it was still being recorded; the
    address of the engine that was read last, and when. Raises NotAchieved where there is none."""
    copy = directory / "ledger.db"
    with Ledger.open(db, readonly=True) as ledger, closing(sqlite3.connect(copy)) as target:
        ledger.conn.backup(target)
    with Ledger.open(copy) as ledger:
        runs = [(latest_run(ledger, row.id), row) for row in list_engines(ledger)]
        read = [(run.last_ms, row) for run, row in runs if run and run.last_ms is not None]
        if not read:
            raise NotAchieved(f"{db} holds no reading", remedy="trimtab demo --tour makes one")
        last_ms, row = max(read, key=itemgetter(0))
        acquire(ledger, row.id, "picture", last_ms)
    return copy, row.url, last_ms


async def draw(db: Path, size: tuple[int, int]) -> str:
    """The screen over `db` at its last reading, as SVG text."""
    from app.tui.app import TrimtabApp

    with TemporaryDirectory() as directory:
        copy, engine, last_ms = copy_as_recorded(db, Path(directory))
        at_ms = last_ms + AFTER_LAST_MS
        screen = TrimtabApp(
            copy, price_book(Settings()), NoActions(), engine=engine, clock=lambda: at_ms
        )
        async with screen.run_test(size=size) as pilot:
            await pilot.pause(TICKS_S)
            return screen.export_screenshot(title="trimtab")


def main() -> int:
    """Write the picture; 0 if it was written."""
    parser = argparse.ArgumentParser(description="A picture of the screen, as SVG.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--size", default="120x40", help="columns x rows")
    options = parser.parse_args()
    columns, rows = (int(number) for number in options.size.split("x"))
    try:
        picture = asyncio.run(draw(options.db or paths.demo_db_path(), (columns, rows)))
    except TrimtabError as error:
        say(f"picture: {error}")
        return error.exit_code
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
