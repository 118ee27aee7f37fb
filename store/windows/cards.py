"""What a card did in a span of time, whoever held it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.device_columns import CARD_GAUGES, CARD_VALUES, CardReading, unknown_column
from store.ledger.connection import Ledger
from store.tables.cards import CardRow, hottest, list_cards, reading_at


@dataclass(frozen=True, slots=True)
class CardWindow:
    """Differences of a card's rows over [from_ms, to_ms], the instants of the rows. `totals` has a
    key for each of `CARD_VALUES`."""

    card: CardRow
    from_ms: int
    to_ms: int
    totals: Mapping[str, int | None]
    temperature_max_c: int | None


def read_cards(ledger: Ledger, from_ms: int, to_ms: int) -> list[CardWindow]:
    """Every card with two rows in the span, which snaps to the rows at or before its ends (or the
    card's first), by host and index."""
    windows = []
    with ledger.consistent():
        for card in list_cards(ledger, from_ms, to_ms):
            start = reading_at(ledger, card.device_id, from_ms)
            end = reading_at(ledger, card.device_id, to_ms)
            if start is None or end is None or end.ts_ms <= start.ts_ms:
                continue
            totals = {name: _grown(name, start, end) for name in CARD_VALUES}
            windows.append(
                CardWindow(
                    card,
                    start.ts_ms,
                    end.ts_ms,
                    totals,
                    hottest(ledger, card.device_id, start.ts_ms, end.ts_ms),
                )
            )
    return windows


def read_faults(
    ledger: Ledger, device_id: int, from_ms: int, to_ms: int
) -> tuple[int | None, int | None, int | None]:
    """Corrected and uncorrected ECC errors and XIDs of a card in a span; None what is not told."""
    start, end = reading_at(ledger, device_id, from_ms), reading_at(ledger, device_id, to_ms)
    if start is None or end is None:
        return None, None, None
    corrected, uncorrected, xids = (
        _grown(name, start, end) for name in ("ecc_corrected", "ecc_uncorrected", "xids")
    )
    return corrected, uncorrected, xids


_UNTIL_TOLD = {unknown_column(gauge): "watched_ms" for gauge in CARD_GAUGES} | {
    unknown_column("energy"): "present_ms"
}
"""What stands for the unknown time of a row at which the value had not been told yet."""


def _grown(name: str, start: CardReading, end: CardReading) -> int | None:
    """What a value grew by. One that was told first within the span began there, from nothing."""
    after, before = end.values[name], start.values[name]
    if after is None:
        return None
    if before is None:
        before = start.values[_UNTIL_TOLD[name]] if name in _UNTIL_TOLD else 0
    return after - (before or 0)
