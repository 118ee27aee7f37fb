"""Old rows of cards go; what any remaining span says stays."""

from __future__ import annotations

from pathlib import Path

from store.device_columns import CARD_VALUES, CardNow, CardReading
from store.ledger.connection import Ledger
from store.records import Device
from store.retention.cards import thin_cards
from store.tables.cards import keep
from store.tables.devices import upsert_device
from store.windows.cards import read_cards

MINUTE = 60_000
START = 1_800_000_000_000 // MINUTE * MINUTE


def test_of_each_old_minute_the_last_row_stays_with_its_maximum(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "l.db") as ledger:
        ids = [upsert_device(ledger, Device("gpu", f"GPU-{n}", "H100")) for n in range(2)]
        for device_id in ids:
            for number in range(60):
                ts_ms = START + number * 10_000
                values = dict.fromkeys(CARD_VALUES, number * 7)
                hottest = 90 if number == 20 else 50
                reading = CardReading(device_id, ts_ms, values, hottest)
                keep(ledger, "host", device_id, CardNow("0"), reading)
        until = START + 5 * MINUTE + 30_000
        before = [
            (each.totals, each.temperature_max_c)
            for each in read_cards(ledger, START, START + 10 * MINUTE)
        ]
        with ledger.transaction():
            while thin_cards(ledger, until):
                pass
        counts = ledger.conn.execute(
            "SELECT count(*) FROM card_readings GROUP BY device_id"
        ).fetchall()
        assert counts == [(1 + 5 + 30,)] * 2  # the first row, five minutes, what is younger
        after = [
            (each.totals, each.temperature_max_c)
            for each in read_cards(ledger, START, START + 10 * MINUTE)
        ]
        assert after == before
        assert before[0][1] == 90
