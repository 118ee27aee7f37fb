"""trimtab set"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

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
from app.text.clock import iso
from app.text.output import print_json, print_line
from store.errors import BadInput
from store.knobs.specs import KNOBS, KnobSpec

if TYPE_CHECKING:
    from store.records import Change


def knob_help(spec: KnobSpec) -> str:
    """One knob for the help."""
    unit = f" ({spec.unit})" if spec.unit else ""
    off = f"; {spec.off}" if spec.off else ""
    return f"{spec.name}, {spec.label}{unit}: {spec.summary}{off}."


@command("set", epilog="\n\n".join(map(knob_help, KNOBS.values())))
@click.argument("assignments", nargs=-1, required=True, metavar="KNOB=VALUE...")
@duration_option("--lease", text="Fall back by itself after this long, whoever is watching.")
@remark_option("--why", "The reason, kept with the change.")
@engine_option
@api_key_option
@common
def command_(
    *,
    assignments: tuple[str, ...],
    lease: float | None,
    why: str,
    engine: str | None,
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Change knobs on a running engine, between two of its steps; all of them or none.

    \b
    trimtab set enable_prefix_caching=off
    trimtab set max_num_seqs=8 --lease 5m --why "latency drill"
    """
    from app.acts import describe, set_knobs
    from app.cli.shared.choose import engine_to_turn
    from engines.control.knobs import parse_assignment

    wanted = [parse_assignment(word) for word in assignments]
    twice = [name for name, count in Counter(name for name, _ in wanted).items() if count > 1]
    if twice:
        raise BadInput(f"{twice[0]} is given more than one value")
    chosen = engine_to_turn(engine, api_key)
    with open_ledger(db) as ledger:
        changes = set_knobs(ledger, chosen, wanted, why=why, lease_s=lease)
    if as_json:
        print_json([change_json(change) for change in changes])
        return
    for change in changes:
        print_line(describe(change))


def change_json(change: Change) -> dict[str, object]:
    """One change as scripts read it."""
    return {
        "id": change.id,
        "at": iso(change.ts_ms),
        "knob": change.knob,
        "from": change.from_value,
        "to": change.to_value,
        "outcome": change.outcome,
        "cause": change.cause,
        "who": change.who,
        "why": change.why,
        "reason": change.reason,
        "took_ms": change.took_ms,
        "lease_s": change.lease_s,
        "undoes": change.undoes,
        "per_engine": dict(change.per_engine),
    }
