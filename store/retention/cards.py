"""Thinning of the cards' rows: of each minute the last one stays, with the highest temperature."""

from __future__ import annotations

from store.ledger.connection import Ledger
from store.ledger.schema import MINUTE_MS

CHUNK_MINUTES = 1_440
"""Minutes of one card that are thinned in one transaction."""


def thin_cards(ledger: Ledger, until_ms: int) -> bool:
    """Thin a chunk of the oldest rows before the minute of `until_ms` that are not thinned yet;
    True if there was one. Inside the caller's transaction."""
    chunk = ledger.conn.execute(
        "SELECT device_id, min(ts_ms) / :minute FROM card_readings AS r "
        "WHERE ts_ms < :until AND ts_ms > "
        "(SELECT min(ts_ms) FROM card_readings AS f WHERE f.device_id = r.device_id) "
        "AND EXISTS (SELECT 1 FROM card_readings AS n WHERE n.device_id = r.device_id "
        "AND n.ts_ms > r.ts_ms AND n.ts_ms / :minute = r.ts_ms / :minute) "
        "GROUP BY device_id ORDER BY device_id LIMIT 1",
        {"minute": MINUTE_MS, "until": until_ms // MINUTE_MS * MINUTE_MS},
    ).fetchone()
    if chunk is None:
        return False
    device_id, first_minute = chunk
    end_ms = min(until_ms // MINUTE_MS, first_minute + CHUNK_MINUTES) * MINUTE_MS
    span = {
        "device": device_id,
        "from": first_minute * MINUTE_MS,
        "to": end_ms - 1,
        "minute": MINUTE_MS,
    }
    ledger.conn.execute(
        "UPDATE card_readings AS kept SET temperature_max_c = (SELECT max(temperature_max_c) "
        "FROM card_readings AS r WHERE r.device_id = kept.device_id "
        "AND r.ts_ms BETWEEN kept.ts_ms / :minute * :minute AND kept.ts_ms) "
        f"WHERE device_id = :device AND ts_ms BETWEEN :from AND :to AND {_IS_LAST}",
        span,
    )
    ledger.conn.execute(
        "DELETE FROM card_readings AS kept WHERE device_id = :device "
        f"AND ts_ms BETWEEN :from AND :to AND NOT {_IS_LAST} "
        "AND ts_ms > (SELECT min(ts_ms) FROM card_readings WHERE device_id = :device)",
        span,
    )
    return True


_IS_LAST = (
    "NOT EXISTS (SELECT 1 FROM card_readings AS n WHERE n.device_id = kept.device_id "
    "AND n.ts_ms > kept.ts_ms AND n.ts_ms / :minute = kept.ts_ms / :minute)"
)
"""Whether a row is the last one of its minute."""
