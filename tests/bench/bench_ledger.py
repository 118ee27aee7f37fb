"""What the ledger costs: bytes a day, time to append, time to read windows, steps and thinning.

Run as `python -m tests.bench.bench_ledger [HOURS]`; prints what was measured beside the aim.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from store.ledger.connection import Ledger
from store.records import Device, RunInfo
from store.tables.devices import upsert_device
from store.tables.engines import upsert_engine
from store.tables.readings import append
from store.tables.runs import open_run
from store.windows.series import read_steps
from store.windows.window import read_window
from tests.bench.ledger_load import BOUNDS, readings
from tests.store.synthetic import thin

DAY_S = 86_400


def main() -> None:
    """Measure a day at 1 Hz (or as many hours as asked)."""
    seconds = int(float(sys.argv[1]) * 3600) if len(sys.argv) > 1 else DAY_S
    with tempfile.TemporaryDirectory() as folder:
        kinds: tuple[tuple[Literal["gpu", "host"], int], ...] = (
            ("host", 1),
            ("gpu", 1),
            ("gpu", 8),
        )
        for kind, devices in kinds:
            path = Path(folder) / f"{kind}{devices}.db"
            count = seconds if devices == 1 else min(seconds, 7_200)
            empty, took_s = _write(path, count, kind, devices)
            size = (path.stat().st_size - empty) / count * DAY_S / 1e6
            what = f"an engine-day with {devices} {kind}, from {count / 3600:g} h (aim 30 MB)"
            _say(what, f"{size:.1f} MB")
            _say("  append a reading", f"{took_s / count * 1e6:.0f} µs")
        _read(Path(folder) / "gpu1.db")


def _write(path: Path, count: int, kind: Literal["gpu", "host"], devices: int) -> tuple[int, float]:
    """Write `count` readings; returns the empty ledger's size and the time taken."""
    with Ledger.open(path) as ledger:
        empty = path.stat().st_size
        engine_id = upsert_engine(ledger, "http://h:8000", "e")
        info = RunInfo("http://h:8000", "e", bounds=BOUNDS)
        run_id = open_run(ledger, engine_id, info, 0)
        ids = [upsert_device(ledger, Device(kind, str(n), "a device")) for n in range(devices)]
        took_s = 0.0
        for number, (reading, held) in enumerate(readings(run_id, ids, count, gpus=kind == "gpu")):
            if number % 1_000 == 0:
                if ledger.conn.in_transaction:
                    ledger.conn.execute("COMMIT")
                ledger.conn.execute("BEGIN IMMEDIATE")
            start = time.perf_counter()
            append(ledger, reading, held)
            took_s += time.perf_counter() - start
        ledger.conn.execute("COMMIT")
    return empty, took_s


def _read(path: Path) -> None:
    with Ledger.open(path) as ledger:
        end, rows = ledger.conn.execute("SELECT max(ts_ms), count(*) FROM readings").fetchone()
        spans = {"1 min": 60_000, "1 h": 3_600_000, "24 h": DAY_S * 1_000}
        medians = {}
        for name, span in spans.items():
            medians[name] = _median(lambda span=span: read_window(ledger, 1, end - span, end))
            _say(f"window of {name}, {rows} rows", f"{medians[name] * 1e3:.3f} ms")
        _say("  24 h to 1 min", f"{medians['24 h'] / medians['1 min']:.1f} times")
        for name, step_ms in (("1 s", 1_000), ("10 s", 10_000), ("288 s", 288_000)):
            took = _median(lambda ms=step_ms: read_steps(ledger, 1, end - 300 * ms, end, ms), 5)
            _say(f"300 steps of {name} (aim 50 ms)", f"{took * 1e3:.1f} ms")
        took = _median(lambda: read_steps(ledger, 1, end - 1_000, end, 1_000))
        _say("the newest step of 1 s", f"{took * 1e3:.3f} ms")
        query = "SELECT * FROM v_readings WHERE run_id = 1 AND ts_ms > ?"
        took = _median(lambda: ledger.conn.execute(query, (end - 3_600_000,)).fetchall(), 3)
        _say("v_readings, the last hour", f"{took * 1e3:.1f} ms")
        before = path.stat().st_size
        start = time.perf_counter()
        dropped = thin(ledger, 1, end, 60_000)
        took = time.perf_counter() - start
        ledger.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _say(f"thin {dropped} rows to one a minute", f"{took:.1f} s")
        _say("  the file", f"{before / 1e6:.1f} -> {path.stat().st_size / 1e6:.1f} MB")


def _median(run: Callable[[], object], times: int = 30) -> float:
    """The median of several runs, in seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _say(what: str, value: str) -> None:
    print(f"{what:<52} {value:>14}", flush=True)


if __name__ == "__main__":
    main()
