"""Readings as the demo's engine makes them: the rates of `trimtab demo` on two CPU cores."""

from __future__ import annotations

import random
from collections.abc import Iterator

from store.device_columns import DeviceReading
from store.reading_columns import CUMULATIVE_VALUES, HISTOGRAMS, Bounds, Histogram, Reading

START_MS = 1_795_367_000_000

RATES = {
    "prompt_tokens": 4919.2,
    "cached_prompt_tokens": 3679.7,
    "generation_tokens": 169.6,
    "prefix_queries": 4316.5,
    "prefix_hits": 3679.7,
    "requests_length": 4.6,
    "prefill_us": 1_960_370,
    "prefill_count": 4.6,
    "decode_us": 7_416_607,
    "decode_count": 4.6,
    "request_prompt_tokens": 4910.7,
    "request_generation_tokens": 169.6,
    "iteration_tokens": 1409.0,
    "iterations": 41.0,
    "watched_ms": 1000.0,
    "active_ms": 973.8,
    "running_ms": 7552.5,
    "waiting_ms": 2534.3,
    "kv_usage_us": 9550.6,
}
"""Growth a second of each value that grows."""

_TTFT = (0, 0, 0, 0, 0, 0.01, 0.29, 0.18, 1.01, 0.96, 0.54, 0.33, 0.52, 0.66, 0.08, 0.05)
_ITL = (122.7, 18.3, 3.8, 7.3, 1.8, 3.0, 1.7, 1.7, 0.9, 0.5, 0.6, 0.8, 1.3, 0.4)
_E2E = (0.07, 0.47, 0.54, 0.41, 0.97, 0.54, 0.29, 0.75, 0.35, 0.1, 0.04, 0.06, 0.01)
_QUEUE = (3.7, 0.01, 0.03, 0.01, 0.1, 0.16, 0.18, 0.33, 0.07)

BUCKETS = {
    "ttft": (*_TTFT, *[0] * 6),
    "itl": (*_ITL, *[0] * 5),
    "e2e": (*_E2E, *[0] * 8),
    "queue": (*_QUEUE, *[0] * 12),
}
"""Observations a second in each bucket; as many buckets as vLLM 0.32 has."""

SUMS_US = {"ttft": 5_159_033, "itl": 7_416_607, "e2e": 12_596_463, "queue": 2_475_433}

BOUNDS = Bounds({name: tuple(0.1 * (i + 1) for i in range(len(BUCKETS[name]))) for name in BUCKETS})
"""As many bounds as vLLM's histograms have; their values do not matter to the size."""


def readings(
    run_id: int, device_ids: list[int], count: int, *, gpus: bool
) -> Iterator[tuple[Reading, list[DeviceReading]]]:
    """`count` seconds of the demo's load; the devices are GPUs, or the host of a CPU engine."""
    chance = random.Random(1)
    totals = dict.fromkeys(RATES, 0)
    buckets = {name: [0] * len(BUCKETS[name]) for name in HISTOGRAMS}
    sums = dict.fromkeys(HISTOGRAMS, 0)
    devices = [[0, 0, 0, 0] for _ in device_ids]
    for second in range(count):
        at_ms = START_MS + second * 1_000 + chance.randint(0, 9)
        for name, rate in RATES.items():
            totals[name] += _some(chance, rate)
        for name in HISTOGRAMS:
            sums[name] += _some(chance, SUMS_US[name])
            for slot, rate in enumerate(BUCKETS[name]):
                buckets[name][slot] += _some(chance, rate)
        peaks = {
            "running_max": chance.randint(6, 10),
            "waiting_max": chance.randint(0, 6),
            "kv_usage_max_ppm": chance.randint(8_000, 12_000),
        }
        values = {name: totals.get(name, 0) for name in CUMULATIVE_VALUES} | peaks
        histograms = {
            name: Histogram(sum(buckets[name]), sums[name], tuple(buckets[name]))
            for name in HISTOGRAMS
        }
        for grown in devices:
            for place, rate in enumerate((1_000, 700_000, 70_000_000, 450_000)):
                grown[place] += _some(chance, rate)
        held = [
            DeviceReading(run_id, device_id, at_ms, held_ms, held_ms)
            if not gpus
            else DeviceReading(
                run_id, device_id, at_ms, held_ms, held_ms, busy, memory, 70_123, energy
            )
            for device_id, (held_ms, busy, memory, energy) in zip(device_ids, devices, strict=True)
        ]
        yield Reading(run_id, at_ms, values, histograms), held


def _some(chance: random.Random, rate: float) -> int:
    """A whole number of about `rate`, never negative."""
    return int(rate * chance.uniform(0.5, 1.5) + chance.random())
