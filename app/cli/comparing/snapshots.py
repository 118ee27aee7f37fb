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
        snapshots = sorted(list_all(ledger), key=lambda snapshot: snapshot.made_ms, reverse=True)
    if as_json:
        print_json(
            [snapshot_json(snapshot, names.get(snapshot.engine_id, "")) for snapshot in snapshots]
        )
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
                snapshot.name,
                names.get(snapshot.engine_id, ""),
                date_time(snapshot.from_ms),
                format_duration((snapshot.to_ms - snapshot.from_ms) / 1000),
                snapshot.note,
            )
            for snapshot in snapshots
        ],
    )


def snapshot_json(snapshot: Snapshot, engine: str) -> dict[str, object]:
    """One snapshot as scripts read it."""
    return {
        "name": snapshot.name,
        "engine": engine,
        "from": iso(snapshot.from_ms),
        "to": iso(snapshot.to_ms),
        "made": iso(snapshot.made_ms),
        "configuration": dict(snapshot.configuration),
        "note": snapshot.note,
    }
