"""Readings and device rows as they are stored and told."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from store.device_columns import DeviceReading
from store.errors import NotCumulative
from store.ledger.connection import Ledger
from store.reading_columns import (
    BUCKET_SLOTS,
    HISTOGRAMS,
    MAXIMA,
    VALUE_COLUMNS,
    Histogram,
    Reading,
)
from store.records import Device
from store.tables.devices import devices_at, devices_by_id, upsert_device
from store.tables.readings import append, last, last_devices
from tests.store.synthetic import GPU, Engine, make_engine

FULL = Histogram(50, 7, tuple(range(BUCKET_SLOTS)))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(tmp_path / "l.db", device=None)


def _reading(engine: Engine, **values: int | None) -> Reading:
    known: dict[str, int | None] = dict.fromkeys(VALUE_COLUMNS, 10**12)
    return Reading(
        engine.run_id, engine.ms + 1_000, known | values, dict.fromkeys(HISTOGRAMS, FULL)
    )


def test_a_reading_comes_back_as_it_went(engine: Engine) -> None:
    reading = _reading(engine, preemptions=None, waiting_max=None, running_max=0)
    reading = replace(
        reading, histograms={**reading.histograms, "itl": Histogram(3, 4, (1, 2)), "e2e": None}
    )
    append(engine.ledger, reading)
    assert last(engine.ledger, engine.run_id) == reading


def test_a_run_without_rows_has_no_last(engine: Engine) -> None:
    assert last(engine.ledger, 99) is None
    assert last_devices(engine.ledger, 99) == []


@pytest.mark.parametrize(
    "column", [name for name in VALUE_COLUMNS if name not in MAXIMA] + ["ts_ms", "bucket", "sum"]
)
def test_nothing_that_falls_is_stored(engine: Engine, column: str) -> None:
    first = _reading(engine)
    append(engine.ledger, first)
    worse = {
        "ts_ms": replace(first, values=dict.fromkeys(VALUE_COLUMNS, 10**12 + 5)),
        "bucket": replace(
            first, ts_ms=first.ts_ms + 9, histograms={"e2e": Histogram(50, 7, (0, 1, 1))}
        ),
        "sum": replace(first, ts_ms=first.ts_ms + 9, histograms={"e2e": Histogram(50, 6, ())}),
    }.get(column, replace(first, ts_ms=first.ts_ms + 9, values={column: 10**12 - 1}))
    device = upsert_device(engine.ledger, GPU)
    with pytest.raises(NotCumulative) as caught:
        append(engine.ledger, worse, [DeviceReading(engine.run_id, device, worse.ts_ms, 1, 1)])
    assert column[:3] in caught.value.column or column == "bucket"
    assert last(engine.ledger, engine.run_id) == first
    assert last_devices(engine.ledger, engine.run_id) == []


def test_a_value_that_becomes_unknown_is_stored_as_unknown(engine: Engine) -> None:
    append(engine.ledger, _reading(engine))
    later = replace(_reading(engine, prompt_tokens=None), ts_ms=engine.ms + 5_000)
    append(engine.ledger, later)
    assert last(engine.ledger, engine.run_id) == later


def test_a_maximum_may_fall(engine: Engine) -> None:
    append(engine.ledger, _reading(engine, running_max=9))
    append(engine.ledger, replace(_reading(engine, running_max=1), ts_ms=engine.ms + 2_000))


def test_only_whole_numbers_are_stored(engine: Engine) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        append(engine.ledger, _reading(engine, prompt_tokens=1e12 + 0.5))  # type: ignore[arg-type]


def test_devices_have_their_own_last_rows(engine: Engine) -> None:
    ledger = engine.ledger
    one, two = upsert_device(ledger, GPU), upsert_device(ledger, Device("gpu", "GPU-2", "H200"))
    at_ms = engine.ms + 1_000
    both = [DeviceReading(engine.run_id, device, at_ms, 5, 4, 3, 2, 1, 0) for device in (one, two)]
    append(ledger, _reading(engine), both)
    alone = replace(both[0], ts_ms=at_ms + 1_000, held_ms=9)
    append(ledger, replace(_reading(engine), ts_ms=at_ms + 1_000), [alone])
    assert last_devices(ledger, engine.run_id) == [alone, both[1]]
    assert devices_at(ledger, engine.run_id, at_ms - 1) == {}
    joined = devices_by_id(ledger, engine.run_id).values()
    assert [device.uuid for device in joined] == ["GPU-1", "GPU-2"]


def test_device_time_does_not_fall(engine: Engine) -> None:
    device = upsert_device(engine.ledger, GPU)
    at_ms = engine.ms + 1_000
    held = DeviceReading(engine.run_id, device, at_ms, 50, 40, energy_mj=8)
    append(engine.ledger, _reading(engine), [held])
    later = replace(_reading(engine), ts_ms=at_ms + 1_000)
    for column in ("held_ms", "watched_ms", "energy_mj"):
        with pytest.raises(NotCumulative, match=column):
            append(engine.ledger, later, [replace(held, ts_ms=at_ms + 1_000, **{column: 7})])
    assert last(engine.ledger, engine.run_id) == _reading(engine)


def test_a_device_keeps_its_id_and_gets_its_new_name(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "d.db") as ledger:
        first = upsert_device(ledger, Device("gpu", "u", "old"))
        assert upsert_device(ledger, Device("gpu", "u", "new")) == first
        assert upsert_device(ledger, Device("host", "u", "cpu")) != first
