"""A realistic ledger, written through the store: an engine under steady traffic and two changes.

Deterministic: the wobble is a sine, so a picture of it is the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store.device_columns import DeviceReading
from store.ledger.connection import Ledger
from store.reading_columns import HISTOGRAMS, VALUE_COLUMNS, Bounds, Histogram, Reading
from store.records import Change, Device, Event, KnobState, RunInfo
from store.tables import changes, events, knobs, recorders
from store.tables.devices import upsert_device
from store.tables.engines import set_status, upsert_engine
from store.tables.readings import append
from store.tables.runs import open_run

NOW_MS = 1_763_827_200_000
"""2025-11-22 16:00:00 UTC."""

TTFT_BOUNDS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5)
LATE_BOUNDS = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0)
KNOBS = (
    KnobState("enable_prefix_caching", "live", True, True, None, None),
    KnobState("max_num_seqs", "live", 32, 32, 1, 32),
    KnobState("max_num_batched_tokens", "live", 2048, 2048, 64, 2048),
    KnobState("long_prefill_token_threshold", "live", 0, 0, 0, 2048),
)


@dataclass(frozen=True)
class Load:
    """What an engine does each second: tokens, requests, how many run and wait, TTFT's bucket."""

    output: float = 1180.0
    prompt: float = 9800.0
    cached: float = 0.86
    requests: float = 9.6
    running: float = 7.6
    waiting: float = 0.4
    kv: float = 0.21
    ttft_slot: int = 3


BUSY = Load()
UNCACHED = Load(
    output=720,
    prompt=6100,
    cached=0.0,
    requests=5.9,
    running=8.0,
    waiting=2.9,
    kv=0.34,
    ttft_slot=6,
)
IDLE = Load(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Scenario:
    """An engine's name and model, its load by second since the start, and its changes."""

    name: str = "demo"
    url: str = "http://127.0.0.1:8000"
    model: str | None = "meta-llama/Llama-3.3-70B-Instruct"
    version: str | None = "0.32.0"
    control: str = "live"
    reason: str = "plugin in 1 EngineCore"
    seconds: int = 420
    change_at: int | None = 330
    load: Load = BUSY
    load_after: Load = UNCACHED
    knobs: tuple[KnobState, ...] = KNOBS
    recorded: bool = True
    started_before_s: int = 8_040


def seed(path: Path, *scenarios: Scenario, now_ms: int = NOW_MS) -> None:
    """Write the scenarios' engines; the last reading of each lies 400 ms before `now_ms`."""
    with Ledger.open(path) as ledger:
        for scenario in scenarios:
            _engine(ledger, scenario, now_ms)


def mark_unreadable(path: Path, url: str, reason: str, since_ms: int) -> None:
    """The engine stops answering."""
    with Ledger.open(path) as ledger:
        set_status(ledger, upsert_engine(ledger, url, "demo"), "unreadable", reason, since_ms)


def change(scenario: Scenario, at_ms: int) -> Change:
    """Prefix caching goes off."""
    return Change(
        f"{scenario.name}-cache",
        at_ms,
        "enable_prefix_caching",
        True,
        False,
        "applied",
        "set",
        "ada",
        took_ms=3.2,
    )


def _engine(ledger: Ledger, scenario: Scenario, now_ms: int) -> None:
    last_ms = now_ms - 400
    first_ms = last_ms - scenario.seconds * 1000
    engine_id = upsert_engine(ledger, scenario.url, scenario.name)
    set_status(ledger, engine_id, "ok", "", first_ms)
    info = RunInfo(
        scenario.url,
        scenario.name,
        model=scenario.model,
        pid=4242,
        started_ms=now_ms - scenario.started_before_s * 1000,
        vllm_version=scenario.version,
        control=scenario.control,  # type: ignore[arg-type]
        reason=scenario.reason,
        bounds=Bounds(dict.fromkeys(HISTOGRAMS, LATE_BOUNDS) | {"ttft": TTFT_BOUNDS}),
    )
    run_id = open_run(ledger, engine_id, info, first_ms)
    device_id = upsert_device(ledger, Device("gpu", f"GPU-{engine_id}", "NVIDIA H100 80GB HBM3"))
    knobs.record(ledger, run_id, first_ms, scenario.knobs)
    events.add(ledger, engine_id, Event(first_ms, "run", "run begins: pid 4242, vLLM 0.32.0"))
    with ledger.transaction():
        state = _State()
        for second in range(scenario.seconds + 1):
            changed = scenario.change_at is not None and second > scenario.change_at
            if second:
                state.add(scenario.load_after if changed else scenario.load, second)
            reading, device = state.reading(run_id, device_id, first_ms + second * 1000)
            append(ledger, reading, [device])
    if scenario.change_at is not None:
        _change(ledger, engine_id, run_id, scenario, first_ms + scenario.change_at * 1000 + 100)
    if scenario.recorded:
        recorders.acquire(ledger, engine_id, "4711@host:1", now_ms - 300)


def _change(ledger: Ledger, engine_id: int, run_id: int, scenario: Scenario, at_ms: int) -> None:
    earlier = Change(
        f"{scenario.name}-batch",
        at_ms - 170_000,
        "max_num_seqs",
        32,
        24,
        "applied",
        "set",
        "ada",
        took_ms=2.1,
    )
    made = change(scenario, at_ms)
    for one in (earlier, made):
        changes.record(ledger, run_id, one)
    events.add(ledger, engine_id, Event(earlier.ts_ms, "change", "batch size 32 → 24, by ada"))
    events.add(ledger, engine_id, Event(at_ms - 60_000, "snapshot", "baseline: the last 2 min"))
    events.add(ledger, engine_id, Event(at_ms, "change", "prefix caching on → off, by ada"))
    by_name = {state.name: state for state in scenario.knobs}
    moved = (
        _moved(by_name["enable_prefix_caching"], False),
        _moved(by_name["max_num_seqs"], 24),
    )
    knobs.record(ledger, run_id, at_ms, moved)


def _moved(state: KnobState, value: bool | int) -> KnobState:
    return KnobState(
        state.name, state.kind, value, state.start, state.minimum, state.maximum, state.reason
    )


class _State:
    """The cumulative row, as floats that are rounded when read."""

    def __init__(self) -> None:
        self.values: dict[str, float] = dict.fromkeys(VALUE_COLUMNS, 0.0)
        self.histograms: dict[str, list[float]] = {
            name: [0.0] * len(TTFT_BOUNDS if name == "ttft" else LATE_BOUNDS) for name in HISTOGRAMS
        }
        self.watched_ms = 0

    def add(self, load: Load, second: int) -> None:
        """One more second under `load`."""
        wobble = 1 + 0.05 * math.sin(second / 3) + 0.03 * math.sin(second / 1.3)
        active = 1.0 if load.running else 0.0
        self.watched_ms += 1000
        grown: Mapping[str, float] = {
            "prompt_tokens": load.prompt * wobble,
            "cached_prompt_tokens": load.prompt * wobble * load.cached,
            "generation_tokens": load.output * wobble,
            "requests_stop": load.requests * wobble,
            "request_prompt_tokens": load.prompt * wobble,
            "request_generation_tokens": load.output * wobble,
            "watched_ms": 1000,
            "active_ms": 1000 * active,
            "running_ms": 1000 * load.running * wobble,
            "waiting_ms": 1000 * load.waiting * wobble,
            "kv_usage_us": 1e6 * load.kv,
        }
        for name, value in grown.items():
            self.values[name] += value
        self.values["running_max"] = math.ceil(load.running)
        self.values["waiting_max"] = math.ceil(load.waiting)
        self.values["kv_usage_max_ppm"] = 1e6 * load.kv
        for name, buckets in self.histograms.items():
            slot = load.ttft_slot if name == "ttft" else 0
            buckets[slot] += 0.8 * load.requests * wobble
            buckets[max(0, slot - 1)] += 0.2 * load.requests * wobble

    def reading(self, run_id: int, device_id: int, ts_ms: int) -> tuple[Reading, DeviceReading]:
        """The row at `ts_ms`, whole numbers."""
        histograms: dict[str, Histogram | None] = {}
        for name, buckets in self.histograms.items():
            whole = tuple(int(count) for count in buckets)
            histograms[name] = Histogram(sum(whole), sum(whole) * 80_000, whole)
        values: dict[str, int | None] = {name: int(value) for name, value in self.values.items()}
        device = DeviceReading(
            run_id,
            device_id,
            ts_ms,
            held_ms=self.watched_ms,
            watched_ms=self.watched_ms,
            busy_us=self.watched_ms * 900,
            memory_mib_ms=self.watched_ms * 61_000,
            memory_max_mib=61_000,
            energy_mj=self.watched_ms * 520,
        )
        return Reading(run_id, ts_ms, values, histograms), device
