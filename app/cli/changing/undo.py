"""trimtab undo"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    engine_option,
    open_ledger,
    remark_option,
)
from app.cli.shared.swapping import say_step, strategy_option
from app.text.output import print_json, print_line

if TYPE_CHECKING:
    from engines.variants.strategy import Strategy


@command("undo")
@remark_option("--why", "The reason, kept with the change.")
@strategy_option
@engine_option
@api_key_option
@common
def command_(
    *,
    why: str,
    strategy: Strategy,
    engine: str | None,
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Take back the last change that still stands, of a knob or by a swap; knobs that were set by
    one command together.

    Called again, it takes back the one before. A swap that runs is called off; one that is done is
    taken back by another swap, to the exact command that served before.
    """
    from app.acts import describe, undo
    from app.cli.changing.set_ import change_json
    from app.cli.shared.choose import engine_to_turn

    chosen = engine_to_turn(engine, api_key)
    with open_ledger(db) as ledger:
        changes = undo(
            ledger,
            chosen,
            why=why,
            strategy=strategy,
            on_step=say_step,
        )
    if as_json:
        first, *others = map(change_json, changes)
        print_json({**first, "with": others})
    else:
        for change in changes:
            print_line(describe(change))
