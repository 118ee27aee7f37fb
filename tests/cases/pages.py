"""Pages of made-up engines, second by second, and what a recorder makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engines.metrics_page import Sample
from engines.recording import ledger_writes, sampler
from engines.recording.devices.device_time import DeviceSample
from engines.recording.sampler import Run, Sampler
from store.device_columns import DeviceReading
from store.ledger.connection import Ledger
from store.metrics.account import account_of
from store.metrics.measure import MetricValue
from store.metrics.prices import PriceBook
from store.reading_columns import Reading
from store.records import RunInfo
from store.tables.engines import upsert_engine
from store.windows.window import read_window

START_MS = 1_790_000_000_000
PRICES = PriceBook()


@dataclass(frozen=True)
class Load:
    """Two requests a second, each of 500 prompt tokens (300 of them cached) and 50 output tokens,
    0.65 s long; three run. `before` requests were answered before the first page."""

    before: int = 100
    start: float | None = 1_790_000_000.0
    rank: str = "0"
    model: str = "m"

    def page(self, second: float) -> str:
        """The page at this second."""
        n = self.before + round(2 * second)
        start = () if self.start is None else (f"process_start_time_seconds {self.start}",)
        return "\n".join((*start, *self.series(n))) + "\n"

    def series(self, n: int) -> Iterator[str]:
        """The series of an engine that has answered `n` requests."""
        labels = f'engine="{self.rank}",model_name="{self.model}"'
        plain = {
            "num_requests_running": 3,
            "num_requests_waiting": 0,
            "kv_cache_usage_perc": 0.4,
            "prefix_cache_queries_total": 500 * n,
            "prefix_cache_hits_total": 300 * n,
            "prompt_tokens_total": 500 * n,
            "prompt_tokens_cached_total": 300 * n,
            "generation_tokens_total": 50 * n,
            "num_preemptions_total": 0,
            "request_prompt_tokens_sum": 500 * n,
            "request_generation_tokens_sum": 50 * n,
            "request_prefill_time_seconds_sum": 0.15 * n,
            "request_prefill_time_seconds_count": n,
        }
        yield from (f"vllm:{name}{{{labels}}} {value}" for name, value in plain.items())
        for reason in ("stop", "length", "abort", "error"):
            told = n if reason == "stop" else 0
            yield f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {told}'
        yield from _histogram("e2e_request_latency_seconds", labels, {"0.3": 0, "1.0": n}, n, 0.65)
        yield from _histogram("request_queue_time_seconds", labels, {"0.3": n}, n, 0.01)


def _histogram(
    name: str, labels: str, buckets: Mapping[str, int], count: int, each_s: float
) -> Iterator[str]:
    for bound, below in {**buckets, "+Inf": count}.items():
        yield f'vllm:{name}_bucket{{{labels},le="{bound}"}} {below}'
    yield f"vllm:{name}_count{{{labels}}} {count}"
    yield f"vllm:{name}_sum{{{labels}}} {each_s * count}"


@dataclass
class Found:
    """What was made of a series of pages: metrics, why some are unknown, what was in doubt, why
    pages were not read, and why runs began."""

    metrics: dict[str, MetricValue] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)


@dataclass
class _LedgerSink:
    """Keeps what a sampler finds, as a recorder does."""

    ledger: Ledger
    engine_id: int
    found: Found

    async def open_run(self, sample: Sample, at_ms: int, why: str, *, anew: bool = False) -> Run:
        self.found.begun.append(why)
        start = sample.process_start_s
        info = RunInfo(
            "http://case",
            "case",
            started_ms=None if start is None else round(start * 1000),
            bounds=sample.bounds,
        )
        return ledger_writes.begin_run(
            self.ledger, self.engine_id, info, sample, at_ms=at_ms, why=why, anew=anew
        )

    async def devices(self) -> Sequence[DeviceSample]:
        return []

    async def store(
        self, reading: Reading, devices: Sequence[DeviceReading], doubts: Mapping[str, str]
    ) -> bool:
        kept = ledger_writes.store_reading(self.ledger, reading, devices)
        ledger_writes.keep_doubts(self.ledger, self.engine_id, reading, doubts)
        return kept

    async def unreadable(self, reason: str, at_ms: int) -> None:
        self.found.unread.append(reason)


class _Pages:
    """Stands in for the connection: one page a second."""

    def __init__(self, pages: Sequence[str]) -> None:
        self._pages = iter(pages)

    async def get(self, _: str, *, deadline_s: float) -> bytes:
        del deadline_s
        return next(self._pages).encode()


async def record(
    pages: Sequence[str], home: Path, monkeypatch: pytest.MonkeyPatch, *, every_s: float = 1.0
) -> Found:
    """What a recorder makes of one page each `every_s` seconds, over all of them."""
    found, clock = Found(), [0.0]
    monkeypatch.setattr(sampler, "now_ms", lambda: START_MS + round(clock[0] * 1000))
    monkeypatch.setattr(sampler.time, "monotonic_ns", lambda: round(clock[0] * 1e9))
    with Ledger.open(home / "case.db") as ledger:
        engine_id = upsert_engine(ledger, "http://case", "case")
        reader = Sampler("http://case", _LedgerSink(ledger, engine_id, found), every_s=every_s)
        reader._fetcher = _Pages(pages)  # type: ignore[assignment]
        for _ in pages:
            await reader.tick()
            clock[0] += every_s
        end_ms = START_MS + round(clock[0] * 1000)
        window = read_window(ledger, engine_id, START_MS, end_ms)
        if window is not None:
            account = account_of(ledger, window, PRICES)
            found.metrics, found.doubts = account.values, account.doubts
            found.reasons = account.unknown
    return found
