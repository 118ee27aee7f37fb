"""A recorder to be killed: appends a reading every few milliseconds and prints what is stored.

Usage: python -m tests.fault.ledger_program PATH [BYTES]

With BYTES no file may grow beyond that, as on a full disk; each line read from stdin then lifts the
limit. A line printed is a reading's time once its transaction is committed, or the error's text.
"""

from __future__ import annotations

import resource
import signal
import sys
import threading
import time
from pathlib import Path

from store.device_columns import DeviceReading
from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.reading_columns import CUMULATIVE_VALUES, HISTOGRAMS, Bounds, Histogram, Reading
from store.records import Device, RunInfo
from store.tables.devices import upsert_device
from store.tables.engines import upsert_engine
from store.tables.readings import append, last
from store.tables.runs import latest_run, open_run

BOUNDS = Bounds(dict.fromkeys(HISTOGRAMS, (0.1, 1.0)))


def main() -> None:
    """Write until killed."""
    if len(sys.argv) > 2:
        _limit_files(int(sys.argv[2]))
    writer = LedgerWriter(Path(sys.argv[1]))
    writer.start()
    run_id, device_id, at_ms = writer.submit(_resume).result()
    while True:
        at_ms += 1_000
        reading = _reading(run_id, at_ms)
        held = [DeviceReading(run_id, device_id, at_ms, at_ms, at_ms)]
        try:
            writer.submit(lambda ledger, one=reading, row=held: append(ledger, one, row)).result()
            print(at_ms, flush=True)
        except LedgerUnusable as error:
            print(error.meaning, flush=True)
            time.sleep(0.05)
        time.sleep(0.002)


def _resume(ledger: Ledger) -> tuple[int, int, int]:
    engine_id = upsert_engine(ledger, "http://h:8000", "e")
    device_id = upsert_device(ledger, Device("host", "h", "cpu"))
    run = latest_run(ledger, engine_id)
    if run is None:
        info = RunInfo("http://h:8000", "e", bounds=BOUNDS)
        return open_run(ledger, engine_id, info, 1_000_000), device_id, 1_000_000
    before = last(ledger, run.id)
    return run.id, device_id, before.ts_ms if before else 1_000_000


def _reading(run_id: int, at_ms: int) -> Reading:
    return Reading(
        run_id,
        at_ms,
        dict.fromkeys(CUMULATIVE_VALUES, at_ms),
        dict.fromkeys(HISTOGRAMS, Histogram(at_ms, at_ms, (at_ms, 0))),
    )


def _limit_files(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    def lift() -> None:
        sys.stdin.readline()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    threading.Thread(target=lift, daemon=True).start()


if __name__ == "__main__":
    main()
