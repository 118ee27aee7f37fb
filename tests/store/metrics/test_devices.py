from __future__ import annotations

from pathlib import Path

import pytest

from store.metrics.account import account_of
from store.metrics.cost import DeviceCost
from store.metrics.devices import DeviceTold, uneven_busy
from store.metrics.prices import PriceBook
from store.records import Device, DeviceNote
from store.tables.device_notes import keep
from store.windows.window import read_window
from tests.store.synthetic import GPU, make_engine

PRICES = PriceBook({"H100": 3.6})


def test_the_part_of_a_device_its_neighbours_and_how_it_is_known_are_told(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "l.db")
    joined = "certain: the driver names its process"
    keep(engine.ledger, engine.run_id, [DeviceNote(GPU.uuid, joined, "")], engine.ms)
    start = engine.ms
    engine.run(50)
    engine.share = 0.5
    shared = "shared with 1 other engine, by memory"
    keep(engine.ledger, engine.run_id, [DeviceNote(GPU.uuid, joined, shared)], engine.ms)
    end = engine.run(50)
    window = read_window(engine.ledger, engine.engine_id, start, end)
    assert window is not None
    account = account_of(engine.ledger, window, PRICES)
    (told,) = account.devices
    assert told.device == GPU
    assert told.share == pytest.approx(0.75)
    assert (told.joined, told.shared) == ((joined,), (shared,))
    assert told.cost.usd == pytest.approx(75 / 3600 * 3.6)
    assert account.values["cost_usd"] == pytest.approx(75 / 3600 * 3.6)


def told_of(uuid: str, utilisation: float | None, kind: str = "gpu") -> DeviceTold:
    device = Device(kind, uuid, "X")  # type: ignore[arg-type]
    return DeviceTold(DeviceCost(device, 1.0, None, None), 1.0, utilisation)


@pytest.mark.parametrize(
    ("busy", "is_told"),
    [((0.9, 0.6), True), ((0.9, 0.8), False), ((0.9,), False), ((0.9, None), False), ((), False)],
)
def test_gpus_that_are_not_alike_busy_are_told(
    busy: tuple[float | None, ...], is_told: bool
) -> None:
    devices = [told_of(f"GPU-{index}", value) for index, value in enumerate(busy)]
    text = uneven_busy([*devices, told_of("host-1", 0.0, "host")])
    assert bool(text) == is_told
    if is_told:
        assert text == "its GPUs are not alike busy: GPU-0 90%, GPU-1 60%"
