"""trimtab compare"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common, duration_option, read_ledger
from app.text.output import print_json, print_line
from store.errors import BadInput

if TYPE_CHECKING:
    from store.compare.comparison import Span
    from store.ledger.connection import Ledger
    from store.tables.snapshots import Snapshot


@command("compare")
@click.argument("a")
@click.argument("b")
@duration_option("--block", text="The length of an independent block.", default="10s")
@common
def command_(*, a: str, b: str, block: float, as_json: bool, db: Path | None) -> None:
    """Compare two snapshots: differences and ratios with 95 % intervals, and a verdict.

    The intervals come from independent blocks of the two windows. Under 5 blocks there is no
    verdict. Where the workload's mix moved by more than 20 % they are not comparable.
    """
    from app.settings.load import load_settings, price_book
    from app.text.comparison import comparison_lines, print_effects, print_sides
    from store.compare.comparison import compare
    from store.tables.engines import list_engines

    if a == b:
        raise BadInput(f"{a!r} cannot be compared with itself", remedy="Name two snapshots")
    with read_ledger(db) as ledger:
        before, after = _snapshot(ledger, a), _snapshot(ledger, b)
        engines = {row.id: row.name for row in list_engines(ledger)}
        comparison = compare(
            ledger,
            _span(before),
            _span(after),
            price_book(load_settings()),
            block_ms=round(block * 1000),
        )
    if as_json:
        print_json(comparison.to_json())
        return
    print_sides(before, after, engines)
    print_effects(comparison, a, b)
    for line in comparison_lines(comparison):
        print_line(line)


def _snapshot(ledger: Ledger, name: str) -> Snapshot:
    from store.tables.snapshots import get, list_all

    snapshot = get(ledger, name)
    if snapshot is None:
        there = ", ".join(other.name for other in list_all(ledger)) or "none"
        raise BadInput(f"There is no snapshot {name!r}", f"There are: {there}")
    return snapshot


def _span(snapshot: Snapshot) -> Span:
    from store.compare.comparison import Span

    return Span(snapshot.engine_id, snapshot.from_ms, snapshot.to_ms, snapshot.name)
