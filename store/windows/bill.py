"""What a host's cards were held by, and what of them nobody held: the parts add up to the whole.

Rows of runs and of cards come at different instants, so held time is interpolated between a run's
rows at the very ends of the span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from store.ledger.connection import Ledger
from store.tables.cards import CardRow, list_cards, reading_at
from store.tables.devices import devices_at


@dataclass(frozen=True, slots=True)
class CardTime:
    """Device milliseconds of a card from `from_ms` to `to_ms`: `held_ms` by the engine's id,
    `free_ms` those that no recorded engine held."""

    card: CardRow
    from_ms: int
    to_ms: int
    held_ms: Mapping[int, float] = field(default_factory=dict)

    @property
    def free_ms(self) -> float:
        """Never less than none: shares are rounded."""
        return max(0.0, self.to_ms - self.from_ms - sum(self.held_ms.values()))


def card_times(ledger: Ledger, from_ms: int, to_ms: int) -> list[CardTime]:
    """Every card that was there in the span, from when it was first seen to when it was last."""
    times = []
    with ledger.consistent():
        for card in list_cards(ledger, from_ms, to_ms):
            first, last = reading_at(ledger, card.device_id, 0), card.seen_ms
            start = max(from_ms, first.ts_ms if first is not None else from_ms)
            end = min(to_ms, last)
            if end > start:
                held = _held(ledger, card.device_id, start, end)
                times.append(CardTime(card, start, end, held))
    return times


_HOLDS_MS = 10_000
"""A run that has had no row of a device for so long no longer holds it."""


def holders_at(ledger: Ledger, device_id: int, ts_ms: int) -> set[int]:
    """The engines that held a device at an instant, by id."""
    rows = ledger.conn.execute(
        "SELECT DISTINCT engine_id FROM run_devices AS d JOIN runs ON runs.id = d.run_id "
        "WHERE d.device_id = :device AND EXISTS (SELECT 1 FROM device_readings AS r "
        "WHERE r.run_id = d.run_id AND r.device_id = :device "
        "AND r.ts_ms BETWEEN :at - :holds AND :at + :holds)",
        {"device": device_id, "at": ts_ms, "holds": _HOLDS_MS},
    )
    return {row[0] for row in rows}


def _held(ledger: Ledger, device_id: int, from_ms: int, to_ms: int) -> dict[int, float]:
    held: dict[int, float] = {}
    runs = ledger.conn.execute(
        "SELECT run_id, engine_id, first_ms FROM run_devices JOIN runs ON runs.id = run_id "
        "WHERE device_id = ? AND first_ms < ?",
        (device_id, to_ms),
    ).fetchall()
    for run_id, engine_id, _ in runs:
        grown = _held_at(ledger, run_id, device_id, to_ms) - _held_at(
            ledger, run_id, device_id, from_ms
        )
        if grown > 0:
            held[engine_id] = held.get(engine_id, 0.0) + grown
    return held


def _held_at(ledger: Ledger, run_id: int, device_id: int, ts_ms: int) -> float:
    """What the run had held of the device at an instant."""
    before = devices_at(ledger, run_id, ts_ms).get(device_id)
    if before is None:
        return 0.0
    after = ledger.conn.execute(
        "SELECT ts_ms, held_ms FROM device_readings WHERE run_id = ? AND device_id = ? "
        "AND ts_ms > ? ORDER BY ts_ms LIMIT 1",
        (run_id, device_id, ts_ms),
    ).fetchone()
    if after is None:
        return before.held_ms
    part = (ts_ms - before.ts_ms) / (after[0] - before.ts_ms)
    held_ms: float = before.held_ms + part * (after[1] - before.held_ms)
    return held_ms
