"""Eight GPUs as they stand beside the engine of `tests.ui.seed`, written through the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from store.device_columns import CARD_VALUES, CardNow, CardReading, DeviceReading
from store.ledger.connection import Ledger
from store.records import Device
from store.tables.cards import keep
from store.tables.devices import append_devices, upsert_device
from store.tables.engines import find_engine
from store.tables.runs import latest_run
from tests.ui.seed import NOW_MS

H100 = "NVIDIA H100 80GB HBM3"
BUSY = CardNow(
    "0", "ok", "", NOW_MS - 500, 970_000, 72_730, 81_559, 643_210, 700_000, 71, 1755, 2619
)
IDLE = replace(BUSY, busy_ppm=0, memory_used_mib=4, power_mw=71_000, temperature_c=31, sm_mhz=345)
EIGHT = (
    BUSY,
    replace(BUSY, throttle=("power",)),
    replace(BUSY, throttle=("thermal",), temperature_c=88),
    replace(BUSY, state="lost", reason="GPU is lost"),
    IDLE,
    IDLE,
    replace(IDLE, last_xid=31),
    replace(IDLE, state="unknown", reason="it does not answer"),
)
"""The engine holds the first four."""
HELD = 4


def seed_cards(
    path: Path, url: str, cards: tuple[CardNow, ...] = EIGHT, *, name: str = H100
) -> None:
    """Put cards beside an engine that is in the ledger."""
    with Ledger.open(path) as ledger, ledger.transaction():
        engine = find_engine(ledger, url)
        assert engine is not None
        run = latest_run(ledger, engine.id)
        assert run is not None and run.last_ms is not None
        for index, now in enumerate(cards):
            device_id = upsert_device(ledger, Device("gpu", f"GPU-h100-{index}", name))
            for ago_ms, faults in ((60_000, 0), (500, 1)):
                values = dict.fromkeys(CARD_VALUES, 0)
                values |= {
                    "xids": faults if now.last_xid else 0,
                    "ecc_corrected": faults if index == 2 else 0,
                }
                reading = CardReading(device_id, NOW_MS - ago_ms, values, now.temperature_c)
                keep(ledger, "host", device_id, replace(now, index=str(index)), reading)
            if index < HELD:
                append_devices(ledger, [DeviceReading(run.id, device_id, run.last_ms, 1, 1)])
