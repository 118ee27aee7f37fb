"""trimtab variants"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.shared.options import api_key_option, command, common, engine_option
from app.offers.offer import size_text
from app.text.output import UNKNOWN, print_json, print_table, say

if TYPE_CHECKING:
    from app.offers.offer import Files, Offer


@command("variants")
@engine_option
@api_key_option
@common
def command_(*, engine: str | None, api_key: str | None, as_json: bool, db: Path | None) -> None:
    """List what an engine could be swapped to, and whether it fits.

    First the [variants.NAME] tables of the settings file, then what this machine offers: models
    beside the running one in another quantisation, another type of KV cache, a higher limit.
    `needs` is an estimate of memory, `free` what is free now, `stopped` once the engine has ended.
    """
    from app.cli.shared.choose import live_engine
    from app.offers.weigher import offers_of
    from app.settings.load import load_settings

    del db
    chosen = live_engine(engine, api_key)
    offers = offers_of(chosen, load_settings(), None)
    if as_json:
        print_json([{**offer.to_json(), "engine": chosen.name} for offer in offers.found])
        return
    now = offers.running
    say(f"{chosen.name} runs {now.model}: {size_text(now.on_disk)}, {_words(now)}")
    print_table(
        [
            ("variant", "left"),
            ("on disk", "right"),
            ("quantisation", "left"),
            ("dtype", "left"),
            ("needs", "right"),
            ("free", "right"),
            ("stopped", "right"),
            ("verdict", "left"),
        ],
        [_row(offer) for offer in offers.found],
    )
    for offer in offers.found:
        say(f"{offer.name}: {offer.note}; {offer.room.verdict}: {offer.room.reason}")


def _row(offer: Offer) -> tuple[str, ...]:
    files, room = offer.files, offer.room
    return (
        offer.name,
        size_text(files.on_disk),
        files.quantisation or UNKNOWN,
        files.dtype or UNKNOWN,
        size_text(room.needed),
        size_text(room.free),
        size_text(room.free_after_stop),
        room.verdict,
    )


def _words(files: Files) -> str:
    return f"{files.quantisation or 'not quantised'}, {files.problem or files.dtype}"
