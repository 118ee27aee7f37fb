"""trimtab snapshot"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    duration_option,
    engine_option,
    open_ledger,
    remark_option,
)
from app.text.durations import format_duration
from app.text.output import print_json, print_line, say
from store.clock import now_ms


@command("snapshot")
@click.argument("name")
@duration_option("--last", text="How far back the window reaches.", default="5m")
@duration_option("--for", "seconds", text="Record right now for this long, and keep that.")
@click.option("--replace", is_flag=True, help="Take the place of a snapshot of this name.")
@remark_option("--note", "A remark, kept with the snapshot.")
@engine_option
@api_key_option
@common
def command_(
    *,
    name: str,
    last: float,
    seconds: float | None,
    replace: bool,
    note: str,
    engine: str | None,
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Name a window of the recent past, with the configuration in force.

    The window ends now and never reaches back over the last change of a knob.
    """
    from app.acts import take_snapshot
    from app.cli.comparing.snapshots import snapshot_json
    from app.cli.shared.choose import ledger_engine
    from app.cli.watching.show import record_now

    if seconds is None:
        to_ms = now_ms()
        from_ms = to_ms - round(last * 1000)
    else:
        engine, from_ms, to_ms = record_now(db, engine, seconds, api_key)
    with open_ledger(db) as ledger:
        row = ledger_engine(ledger, engine, api_key)
        taken = take_snapshot(ledger, row.id, name, from_ms, to_ms, note=note, replace=replace)
    made = taken.snapshot
    if taken.cut:
        say(taken.cut)
    if as_json:
        print_json(snapshot_json(made, row.name))
        return
    span = format_duration((made.to_ms - made.from_ms) / 1000)
    print_line(f"{name}: {span} of {row.name}")
