"""trimtab compare"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common, duration_option, end_with, read_ledger
from app.text.output import print_json
from store.clock import now_ms
from store.errors import BadInput, NotAchieved

if TYPE_CHECKING:
    from store.compare.comparison import Comparison
    from store.ledger.connection import Ledger
    from store.tables.snapshots import Snapshot

VERDICTS = ("worse", "better", "no difference shown", "not comparable", "too few blocks")


@command("compare")
@click.argument("a")
@click.argument("b", required=False)
@click.option(
    "--until-decided",
    is_flag=True,
    help="Watch what is recorded now until it is shown to be better or worse than A.",
)
@duration_option("--for", "seconds", text="How long to watch at most.", default="10m")
@click.option(
    "--fail-on",
    type=click.Choice(VERDICTS),
    multiple=True,
    help="Exit with 1 at this verdict; may be repeated.",
)
@common
def command_(
    *,
    a: str,
    b: str | None,
    until_decided: bool,
    seconds: float,
    fail_on: tuple[str, ...],
    as_json: bool,
    db: Path | None,
) -> None:
    """Compare snapshot A with snapshot B, or with what was recorded since the last change.

    Each metric's change with an interval out of its own noise, and a verdict by cost per request
    (95 %); the intervals of the others are wider, for one of many is off by chance. With
    --until-decided they hold at every look, so that the first verdict may be believed. Where
    prompts or answers differ by more than 20 % in length the windows are not comparable.
    """
    from app.acts.comparing import named_snapshot, span_of
    from app.settings.load import load_settings, price_book
    from store.compare.comparison import compare

    if a == b:
        raise BadInput(f"{a!r} cannot be compared with itself", remedy="Name two snapshots")
    if until_decided and b is not None:
        raise BadInput(
            "--until-decided watches what is recorded now", f"{b!r} is over", "Name only A"
        )
    prices = price_book(load_settings())
    with read_ledger(db) as ledger:
        before = named_snapshot(ledger, a)
        if until_decided:
            from app.cli.comparing.watching import watch

            after, comparison = watch(ledger, before, prices, seconds)
        else:
            after = _since(ledger, before) if b is None else named_snapshot(ledger, b)
            comparison = compare(ledger, span_of(before), span_of(after), prices)
        _print(ledger, before, after, comparison, as_json)
    if comparison.verdict in fail_on:
        end_with(NotAchieved(f"The verdict is: {comparison.verdict}", remedy="--fail-on names it"))


def _since(ledger: Ledger, before: Snapshot) -> Snapshot:
    from app.acts.comparing import LONGEST_MS, since_last_change

    now = now_ms()
    return since_last_change(ledger, before, now, now - LONGEST_MS)


def _print(
    ledger: Ledger, before: Snapshot, after: Snapshot, comparison: Comparison, as_json: bool
) -> None:
    from app.text.comparison import (
        conclusion,
        configuration_changes,
        print_comparison,
        print_effects,
        print_sides,
    )
    from store.tables.engines import list_engines

    if as_json:
        configurations = {
            "a": dict(before.configuration),
            "b": dict(after.configuration),
            "differences": configuration_changes(before.configuration, after.configuration),
        }
        print_json(
            comparison.to_json()
            | {"configuration": configurations, "conclusion": conclusion(comparison)}
        )
        return
    print_sides(before, after, {row.id: row.name for row in list_engines(ledger)})
    print_effects(comparison, before.name, after.name)
    print_comparison(comparison)
