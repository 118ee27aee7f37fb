"""The cards of a host: how each stands, since when one did not answer, and its cumulative rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from store.device_columns import (
    CARD_COLUMNS,
    CARD_CUMULATIVE,
    CARD_STEP_MS,
    CARD_VALUES,
    CardNow,
    CardReading,
)
from store.errors import NotCumulative
from store.ledger.connection import Ledger
from store.records import Device
from store.tables.recorders import STALE_MS

_COLUMNS = ", ".join(CARD_COLUMNS)
_INSERT = f"INSERT INTO card_readings ({_COLUMNS}) VALUES ({', '.join('?' * len(CARD_COLUMNS))})"
_NOW = (  # in the order of CardNow's fields
    "card_index, state, reason, told_ms, busy_ppm, memory_used_mib, memory_total_mib, power_mw, "
    "limit_mw, temperature_c, sm_mhz, memory_mhz, throttle, last_xid"
)
_SELECT = f"SELECT {_COLUMNS} FROM card_readings WHERE device_id = ?"


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card that the ledger knows. It was last looked at, with or without an answer, at
    `seen_ms`; `host` is the identity of its machine."""

    device_id: int
    device: Device
    host: str
    seen_ms: int
    now: CardNow


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch in which a card did not answer; `to_ms` is None while it lasts."""

    device_id: int
    from_ms: int
    to_ms: int | None
    state: str
    reason: str


def acquire(ledger: Ledger, host: str, owner: str, now_ms: int) -> bool:
    """Become, or stay, who writes of a host's cards; False while another one is alive."""
    with ledger.transaction():
        cursor = ledger.conn.execute(
            "INSERT INTO card_recorders (host, owner, beat_ms) VALUES (:host, :owner, :now) "
            "ON CONFLICT (host) DO UPDATE SET owner = excluded.owner, beat_ms = excluded.beat_ms "
            "WHERE owner = :owner OR beat_ms NOT BETWEEN :now - :stale AND :now + :stale",
            {"host": host, "owner": owner, "now": now_ms, "stale": STALE_MS},
        )
    return cursor.rowcount == 1


def release(ledger: Ledger, host: str, owner: str) -> None:
    """Let another one write of the host's cards; nothing if it is not `owner`'s."""
    with ledger.transaction():
        ledger.conn.execute(
            "DELETE FROM card_recorders WHERE host = ? AND owner = ?", (host, owner)
        )


def keep(ledger: Ledger, host: str, device_id: int, now: CardNow, reading: CardReading) -> None:
    """How a card stands at the instant of its next row, and the row.

    Of each `CARD_STEP_MS` the first row stays; the others give way to the one that follows. Raises
    `NotCumulative`, and keeps nothing, where time does not go on or a value falls.
    """
    with ledger.transaction():
        before = _last_two(ledger, device_id)
        if before:
            _check_grows(before[0], reading)
        if len(before) == 2 and _step(before[0]) == _step(before[1]):
            ledger.conn.execute(
                "DELETE FROM card_readings WHERE device_id = ? AND ts_ms = ?",
                (device_id, before[0].ts_ms),
            )
        ledger.conn.execute(
            _INSERT,
            (
                device_id,
                reading.ts_ms,
                *(reading.values.get(name) for name in CARD_VALUES),
                reading.temperature_max_c,
            ),
        )
        _keep_now(ledger, host, device_id, now, reading.ts_ms)
        _keep_state(ledger, device_id, now, reading.ts_ms)


def last_reading(ledger: Ledger, device_id: int) -> CardReading | None:
    """The newest row of a card."""
    rows = _last_two(ledger, device_id)
    return rows[0] if rows else None


def reading_at(ledger: Ledger, device_id: int, ts_ms: int) -> CardReading | None:
    """The card's row at or before `ts_ms`, else its first one; None where it has none."""
    row = ledger.conn.execute(
        f"{_SELECT} AND ts_ms <= ? ORDER BY ts_ms DESC LIMIT 1", (device_id, ts_ms)
    ).fetchone()
    if row is None:
        row = ledger.conn.execute(f"{_SELECT} ORDER BY ts_ms LIMIT 1", (device_id,)).fetchone()
    return None if row is None else _reading(row)


def hottest(ledger: Ledger, device_id: int, after_ms: int, to_ms: int) -> int | None:
    """The highest temperature of the card's rows in (after_ms, to_ms]."""
    row = ledger.conn.execute(
        "SELECT max(temperature_max_c) FROM card_readings "
        "WHERE device_id = ? AND ts_ms > ? AND ts_ms <= ?",
        (device_id, after_ms, to_ms),
    ).fetchone()
    highest: int | None = row[0]
    return highest


def list_cards(ledger: Ledger, from_ms: int, to_ms: int) -> list[CardRow]:
    """The cards looked at in [from_ms, to_ms], by host and index."""
    rows = ledger.conn.execute(
        f"SELECT device_id, kind, uuid, name, host, seen_ms, {_NOW} "
        "FROM cards JOIN devices ON devices.id = device_id WHERE seen_ms >= ? "
        "AND (SELECT min(ts_ms) FROM card_readings AS r WHERE r.device_id = cards.device_id) <= ?",
        (from_ms, to_ms),
    )
    cards = [
        CardRow(row[0], Device(row[1], row[2], row[3]), row[4], row[5], _now(row[6:]))
        for row in rows
    ]
    return sorted(cards, key=lambda card: (card.host, _place(card.now.index)))


def outages(ledger: Ledger, device_ids: Sequence[int], from_ms: int, to_ms: int) -> list[Outage]:
    """When these cards did not answer at some time in [from_ms, to_ms], oldest first."""
    places = ", ".join("?" * len(device_ids))
    rows = ledger.conn.execute(
        "SELECT device_id, from_ms, to_ms, state, reason FROM card_states "
        f"WHERE device_id IN ({places}) AND from_ms <= ? AND ifnull(to_ms, ?) >= ? "
        "ORDER BY from_ms, device_id",
        (*device_ids, to_ms, to_ms, from_ms),
    )
    return [Outage(*row) for row in rows]


def _place(index: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in index.split(":")]


def _step(reading: CardReading) -> int:
    return reading.ts_ms // CARD_STEP_MS


def _last_two(ledger: Ledger, device_id: int) -> list[CardReading]:
    """The card's newest rows, the newest first."""
    rows = ledger.conn.execute(f"{_SELECT} ORDER BY ts_ms DESC LIMIT 2", (device_id,))
    return [_reading(row) for row in rows]


def _reading(row: Sequence[int | None]) -> CardReading:
    device_id, ts_ms, *values, hottest_c = row
    assert device_id is not None and ts_ms is not None
    return CardReading(device_id, ts_ms, dict(zip(CARD_VALUES, values, strict=True)), hottest_c)


def _check_grows(before: CardReading, after: CardReading) -> None:
    if after.ts_ms <= before.ts_ms:
        raise NotCumulative("ts_ms", before.ts_ms, after.ts_ms)
    for name in CARD_CUMULATIVE:
        old, new = before.values[name], after.values.get(name)
        if old is not None and new is not None and new < old:
            raise NotCumulative(name, old, new)


def _keep_now(ledger: Ledger, host: str, device_id: int, now: CardNow, ts_ms: int) -> None:
    names = ("device_id", "host", "seen_ms", *_NOW.split(", "))
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    ledger.conn.execute(
        f"INSERT INTO cards ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT (device_id) DO UPDATE SET {updates}",
        (device_id, host, ts_ms, *_now_values(now)),
    )


def _now_values(now: CardNow) -> list[object]:
    told = [getattr(now, field.name) for field in fields(now)]
    return [json.dumps(value) if isinstance(value, tuple) else value for value in told]


def _now(values: Sequence[Any]) -> CardNow:
    now = CardNow(*values)
    return replace(now, throttle=tuple(json.loads(str(now.throttle))))


def _keep_state(ledger: Ledger, device_id: int, now: CardNow, ts_ms: int) -> None:
    row = ledger.conn.execute(
        "SELECT from_ms, state FROM card_states WHERE device_id = ? AND to_ms IS NULL",
        (device_id,),
    ).fetchone()
    if row is not None and row[1] != now.state:
        ledger.conn.execute(
            "UPDATE card_states SET to_ms = ? WHERE device_id = ? AND from_ms = ?",
            (ts_ms, device_id, row[0]),
        )
    if now.state != "ok" and (row is None or row[1] != now.state):
        ledger.conn.execute(
            "INSERT INTO card_states (device_id, from_ms, state, reason) VALUES (?, ?, ?, ?)",
            (device_id, ts_ms, now.state, now.reason),
        )
