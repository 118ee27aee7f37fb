"""Hypothesis strategies: runs of monotone readings, and ways to write and thin them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from store.device_columns import DeviceReading
from store.ledger.connection import Ledger
from store.reading_columns import CUMULATIVE_VALUES, HISTOGRAMS, MAXIMA, Bounds, Histogram, Reading
from store.records import Device, RunInfo
from store.tables.devices import upsert_device
from store.tables.engines import upsert_engine
from store.tables.readings import append
from store.tables.runs import open_run

BOUNDS = {"ttft": (0.1, 0.5, 1.0), "itl": (0.01,), "e2e": (1.0, 2.0), "queue": (0.3, 0.5, 0.8, 1.0)}
GPU = Device("gpu", "GPU-1", "NVIDIA H200")
_GROWTH = st.sampled_from((0, 0, 1, 2, 7, 1_000_003))


@dataclass(frozen=True)
class Step:
    """What happened between one row and the next of a run."""

    wait_ms: int
    grow: int
    peak: int
    has_device: bool


@dataclass(frozen=True)
class Life:
    """One run: the values it starts from, its steps, and a column it does not know (or None)."""

    base: int
    steps: tuple[Step, ...]
    unknown: str | None


steps = st.builds(
    Step,
    wait_ms=st.sampled_from((1, 999, 1_000, 1_003, 20_000, 61_000, 150_000)),
    grow=_GROWTH,
    peak=st.integers(0, 50),
    has_device=st.sampled_from((True, True, True, False)),
)
lives = st.builds(
    Life,
    base=st.integers(0, 10**12),
    steps=st.lists(steps, min_size=1, max_size=25).map(tuple),
    unknown=st.sampled_from((None, None, "preemptions", "running_max", "ttft")),
)
histories = st.lists(lives, min_size=1, max_size=3)


def write_history(path: Path, history: list[Life]) -> tuple[Ledger, int, list[list[int]]]:
    """Write the runs one after the other; returns the ledger, the engine and each run's times."""
    ledger = Ledger.open(path)
    engine_id = upsert_engine(ledger, "http://h:8000", "e")
    at_ms = 1_800_000_000_000
    times = []
    with ledger.transaction():
        device_id = upsert_device(ledger, GPU)
        for life in history:
            info = RunInfo("http://h:8000", "e", bounds=Bounds(BOUNDS))
            run_id = open_run(ledger, engine_id, info, at_ms)
            times.append(_write_life(ledger, run_id, device_id, life, at_ms))
            at_ms = times[-1][-1] + 5_000
    return ledger, engine_id, times


def _write_life(
    ledger: Ledger, run_id: int, device_id: int, life: Life, start_ms: int
) -> list[int]:
    times = []
    total, at_ms = life.base, start_ms
    for index, step in enumerate(life.steps):
        at_ms += step.wait_ms
        total += step.grow
        values: dict[str, int | None] = {
            name: total + 3 * place for place, name in enumerate(CUMULATIVE_VALUES)
        }
        values |= {name: step.peak + place for place, name in enumerate(MAXIMA)}
        histograms: dict[str, Histogram | None] = {
            name: Histogram(total * 5, total * 7, tuple(total + i for i in range(len(bounds))))
            for name, bounds in BOUNDS.items()
        }
        if life.unknown in histograms:
            histograms[life.unknown] = None
        elif life.unknown is not None:
            values[life.unknown] = None
        held = [DeviceReading(run_id, device_id, at_ms, total, total, total, None, step.peak, 5)]
        append(
            ledger,
            Reading(run_id, at_ms, values, {name: histograms[name] for name in HISTOGRAMS}),
            held if step.has_device or index == 0 else [],
        )
        times.append(at_ms)
    return times
