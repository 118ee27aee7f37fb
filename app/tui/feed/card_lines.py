"""The cards of the host as they stand, read for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.text.cards import CardLine
from store.tables.cards import list_cards
from store.windows.bill import holders_at
from store.windows.cards import read_faults

if TYPE_CHECKING:
    from store.ledger.connection import Ledger

SEEN_MS = 30_000
"""A card that nobody has looked at for longer belongs to another host or time."""
FAULTS_MS = 24 * 3_600_000


def read_card_lines(ledger: Ledger, engine_id: int, until_ms: int | None) -> tuple[CardLine, ...]:
    """Every card that was looked at shortly before `until_ms`, the engine's last reading."""
    if until_ms is None:
        return ()
    lines = []
    for row in list_cards(ledger, until_ms - SEEN_MS, until_ms):
        holders = holders_at(ledger, row.device_id, until_ms)
        faults = read_faults(ledger, row.device_id, until_ms - FAULTS_MS, until_ms)
        lines.append(CardLine(row, bool(holders), engine_id in holders, *faults))
    return tuple(lines)
