"""A made-up engine written into a real ledger: every test below says what it did each second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from store.device_columns import DeviceReading
from store.ledger.connection import Ledger
from store.reading_columns import (
    CUMULATIVE_VALUES,
    HISTOGRAMS,
    VALUE_COLUMNS,
    Bounds,
    Histogram,
    Reading,
)
from store.records import Device, RunInfo
from store.retention.thinning import thin_chunk
from store.tables.devices import upsert_device
from store.tables.engines import upsert_engine
from store.tables.readings import append
from store.tables.runs import open_run

START_MS = 1_800_000_000_000
BOUNDS = (0.1, 0.3, 1.0, 3.0)
GPU = Device("gpu", "GPU-1", "NVIDIA H100 80GB HBM3")
HOST = Device("host", "host-1", "AMD EPYC")


@dataclass(frozen=True)
class Second:
    """What happened in one second: increments. `ttft` are counts per bucket, the last overflow."""

    requests: int = 10
    failed: int = 0
    prompt_per_request: int = 100
    output_per_request: int = 50
    cached_share: float = 0.5
    active: float = 1.0
    running: float = 8.0
    ttft: tuple[int, ...] = (0, 10, 0, 0, 0)
    queue: tuple[int, ...] = (10, 0, 0, 0, 0)
    watched: bool = True


@dataclass
class Engine:
    """One run being written. `ms` is the next row's time."""

    ledger: Ledger
    engine_id: int
    device: Device | None = GPU
    ms: int = START_MS
    model: str = "tiny"
    run_id: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    held_ms: int = 0
    watched_ms: int = 0
    share: float = 1.0

    def start(self) -> None:
        """Begin a new run, its first row all zero."""
        info = RunInfo(
            url="http://h:8000",
            name="e",
            model=self.model,
            bounds=Bounds(dict.fromkeys(HISTOGRAMS, BOUNDS)),
        )
        self.run_id = open_run(self.ledger, self.engine_id, info, self.ms)
        self.totals = dict.fromkeys(CUMULATIVE_VALUES, 0)
        self.counts = {name: [0] * (len(BOUNDS) + 1) for name in HISTOGRAMS}
        self.held_ms = self.watched_ms = 0
        self._write()

    def tick(self, second: Second, step_ms: int = 1000) -> None:
        """Let a second pass and write its row (none while nobody watches)."""
        self.ms += step_ms
        done, part = second.requests, step_ms / 1000
        prompt = done * second.prompt_per_request
        output = done * second.output_per_request
        moved = {
            "requests_stop": done,
            "requests_error": second.failed,
            "prompt_tokens": prompt,
            "cached_prompt_tokens": round(prompt * second.cached_share),
            "generation_tokens": output,
            "request_prompt_tokens": prompt,
            "request_generation_tokens": output,
            "prefill_us": 1000 * prompt,
            "prefill_count": done,
            "decode_us": 20_000 * output,
            "decode_count": done,
        }
        if second.watched:
            moved |= {
                "watched_ms": step_ms,
                "active_ms": round(step_ms * second.active),
                "running_ms": round(step_ms * second.running),
                "kv_usage_us": round(250_000 * part),
            }
            self.watched_ms += step_ms
        self.held_ms += round(step_ms * self.share)
        for name, value in moved.items():
            self.totals[name] += value
        for name in HISTOGRAMS:
            for slot, count in enumerate(second.queue if name == "queue" else second.ttft):
                self.counts[name][slot] += count
        if second.watched:
            self._write()

    def run(self, seconds: int, each: Second | Callable[[int], Second] = Second()) -> int:
        """Let `seconds` pass; returns the time at the end."""
        for index in range(seconds):
            self.tick(each(index) if callable(each) else each)
        return self.ms

    def _write(self) -> None:
        values: Mapping[str, int | None] = {
            **dict.fromkeys(VALUE_COLUMNS),
            **self.totals,
            "running_max": 8,
            "waiting_max": 0,
            "kv_usage_max_ppm": 400_000,
        }
        histograms = {
            name: Histogram(sum(counts), 0, tuple(counts[:-1]))
            for name, counts in self.counts.items()
        }
        devices = []
        if self.device is not None:
            gpu = self.device.kind == "gpu"
            devices.append(
                DeviceReading(
                    self.run_id,
                    upsert_device(self.ledger, self.device),
                    self.ms,
                    self.held_ms,
                    self.watched_ms,
                    busy_us=self.watched_ms * 900 if gpu else None,
                    memory_mib_ms=self.watched_ms * 1024 if gpu else None,
                    memory_max_mib=1024 if gpu else None,
                    energy_mj=self.watched_ms * 300 if gpu else None,
                )
            )
        append(self.ledger, Reading(self.run_id, self.ms, values, histograms), devices)


def make_engine(path: Path, *, device: Device | None = GPU, url: str = "http://h:8000") -> Engine:
    """An engine with a started run in the ledger at `path`."""
    ledger = Ledger.open(path)
    engine = Engine(ledger, upsert_engine(ledger, url, "e"), device)
    engine.start()
    return engine


def thin(ledger: Ledger, run_id: int, older_than_ms: int, keep_every_ms: int) -> int:
    """Thin all of the run's rows before an instant, chunk by chunk; returns how many went."""
    before = _row_count(ledger, run_id)
    at_ms: int | None = 0
    while at_ms is not None:
        at_ms = thin_chunk(ledger, run_id, older_than_ms, keep_every_ms, at_ms)
    return before - _row_count(ledger, run_id)


def _row_count(ledger: Ledger, run_id: int) -> int:
    query = "SELECT count(*) FROM reading_rows WHERE run_id = ?"
    return int(ledger.conn.execute(query, (run_id,)).fetchone()[0])
