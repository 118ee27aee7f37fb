"""trimtab snapshots"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.shared.options import command, common, read_ledger
from app.text.clock import date_time, iso
from app.text.durations import format_duration
from app.text.output import print_json, print_table

if TYPE_CHECKING:
    from store.tables.snapshots import Snapshot


@command("snapshots")
@common
def command_(*, as_json: bool, db: Path | None) -> None:
    """List the snapshots in the ledger, newest first."""
    from store.tables.engines import list_engines
    from store.tables.snapshots import list_all

    with read_ledger(db) as ledger:
        names = {row.id: row.name for row in list_engines(ledger)}
        found = sorted(list_all(ledger), key=lambda one: one.made_ms, reverse=True)
    if as_json:
        print_json([snapshot_json(one, names.get(one.engine_id, "")) for one in found])
        return
    print_table(
        [
            ("name", "left"),
            ("engine", "left"),
            ("from", "left"),
            ("length", "right"),
            ("note", "left"),
        ],
        [
            (
                one.name,
                names.get(one.engine_id, ""),
                date_time(one.from_ms),
                format_duration((one.to_ms - one.from_ms) / 1000),
                one.note,
            )
            for one in found
        ],
    )


def snapshot_json(one: Snapshot, engine: str) -> dict[str, object]:
    """One snapshot as scripts read it."""
    return {
        "name": one.name,
        "engine": engine,
        "from": iso(one.from_ms),
        "to": iso(one.to_ms),
        "made": iso(one.made_ms),
        "configuration": dict(one.configuration),
        "note": one.note,
    }
