"""trimtab undo"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.options import api_key_option, command, common, engine_option, open_ledger
from app.output import print_json, print_line


@command("undo")
@click.option("--why", default="", metavar="TEXT", help="The reason, kept with the change.")
@engine_option
@api_key_option
@common
def command_(
    *,
    why: str,
    engine: str | None,
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Take back the last change of a knob that still stands.

    Called again, it takes back the one before.
    """
    from app.acts import describe, undo
    from app.cli.choose import live_engine
    from app.cli.set_ import change_json

    chosen = live_engine(engine, api_key)
    with open_ledger(db) as ledger:
        change = undo(ledger, chosen, why=why)
    if as_json:
        print_json(change_json(change))
    else:
        print_line(describe(change))
