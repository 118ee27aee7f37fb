"""A GPU that is lost, or joins in the midst, is never better or worse: it is not comparable."""

from __future__ import annotations

from pathlib import Path

from store.compare.comparison import Comparison, Span, compare
from store.device_columns import CARD_VALUES, CardNow, CardReading, DeviceReading
from store.metrics.prices import PriceBook
from store.records import Device
from store.tables.cards import keep
from store.tables.devices import append_devices, upsert_device
from tests.store.compare.test_compare import noisy
from tests.store.synthetic import HOST, Engine, make_engine

PRICES = PriceBook(host_usd_per_hour=0.36, prices={"H100": 3.6})
GPU = Device("gpu", "GPU-1", "NVIDIA H100 80GB HBM3")


def compared(engine: Engine, start: int, middle: int, end: int) -> Comparison:
    a = Span(engine.engine_id, start, middle, "before")
    b = Span(engine.engine_id, middle, end, "after")
    return compare(engine.ledger, a, b, PRICES)


def at(engine: Engine, device: Device, state: str, ms: int) -> None:
    device_id = upsert_device(engine.ledger, device)
    now = CardNow("0", state, "" if state == "ok" else "GPU is lost")  # type: ignore[arg-type]
    reading = CardReading(device_id, ms, dict.fromkeys(CARD_VALUES, 0))
    keep(engine.ledger, "host", device_id, now, reading)


def test_across_a_loss_nothing_is_better(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    start = engine.ms
    middle = engine.run(100, noisy(20))
    at(engine, HOST, "ok", start)
    at(engine, HOST, "lost", middle + 20_000)
    at(engine, HOST, "ok", middle + 50_000)
    end = engine.run(100, noisy(50, 1))
    found = compared(engine, start, middle, end)
    assert found.verdict == "not comparable"
    expected = f"after: {HOST.name} ({HOST.uuid}) was lost for 30 s (GPU is lost)"
    assert found.reasons[0] == expected


def test_a_device_that_joins_in_the_midst_makes_the_windows_unlike(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    start = engine.ms
    middle = engine.run(100, noisy(20))
    end = engine.run(100, noisy(50, 1))
    device_id = upsert_device(engine.ledger, GPU)
    with engine.ledger.transaction():
        for ms in (middle + 40_000, end):
            held = ms - middle - 40_000
            append_devices(engine.ledger, [DeviceReading(engine.run_id, device_id, ms, held, held)])
    found = compared(engine, start, middle, end)
    assert found.verdict == "not comparable"
    assert found.reasons[0] == f"after: {GPU.name} ({GPU.uuid}) joined in its midst"


def test_on_the_same_devices_throughout_there_is_a_verdict(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db", device=HOST)
    start = engine.ms
    middle = engine.run(100, noisy(20))
    end = engine.run(100, noisy(50, 1))
    assert compared(engine, start, middle, end).verdict == "better"
