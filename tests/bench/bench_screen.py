"""What watching costs: the screen at 200x50 for 60 s on a real engine under the demo's traffic.

    python -m tests.bench.bench_screen [URL] [--seconds 60]

Without a URL an engine is served for it. Printed beside the aims: CPU seconds and bytes to the
terminal of 60 s, peak memory, the time from the start to the first data on the screen, and the
ledger's growth.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.shared.starting import phase_lines
from app.demo.rig import rig
from engines.discovery.find import probe
from store.ledger.connection import Ledger
from tests.bench.pty_screen import PtyScreen

STARTS = 5
FIRST_DATA_S = 15.0
AIMS = {
    "first data, s": 0.4,
    "CPU s of 60": 0.8,
    "peak RSS, MiB": 60.0,
    "bytes/s to the terminal": 2000.0,
    "ledger, MB per engine-day": 30.0,
}


@contextmanager
def engine(url: str | None) -> Iterator[str]:
    """The engine to watch: the given one, or one of our own with traffic."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "demo.db"
        Ledger.open(path).close()
        with rig("tiny", phase_lines, path) as running:
            yield running.engine.url


def first_data(url: str, marker: str, directory: Path) -> float:
    """The median time from the start of the process until figures stand on the screen."""
    times = []
    for number in range(STARTS):
        with PtyScreen([url, "--db", str(directory / f"start-{number}.db")]) as screen:
            found = screen.read(FIRST_DATA_S, until=marker)
            if found is not None:
                times.append(found)
    return sorted(times)[len(times) // 2] if times else float("nan")


def watch(url: str, marker: str, seconds: float, db: Path) -> dict[str, float]:
    """A minute of the screen, from when it shows data."""
    with PtyScreen([url, "--db", str(db)]) as screen:
        screen.read(FIRST_DATA_S, until=marker)
        screen.read(5)
        cpu_s, written, size = screen.cpu_s(), len(screen.written), rows_bytes(db)
        screen.read(seconds)
        grown = rows_bytes(db) - size
        return {
            "CPU s of 60": (screen.cpu_s() - cpu_s) * 60 / seconds,
            "peak RSS, MiB": screen.peak_mib(),
            "bytes/s to the terminal": (len(screen.written) - written) / seconds,
            "ledger, MB per engine-day": grown / seconds * 86_400 / 1e6,
        }


def rows_bytes(db: Path) -> int:
    """Bytes of the ledger's pages in use, the write-ahead log included."""
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    return int((pages - free) * size)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--seconds", type=float, default=60.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, engine(told.url) as url:
        # The version is on the screen when the first reading has come through the ledger.
        marker = f"vLLM {probe(url).vllm_version}"
        found = {"first data, s": first_data(url, marker, Path(directory))}
        found |= watch(url, marker, told.seconds, Path(directory) / "watch.db")
    for name, aim in AIMS.items():
        print(f"{name:28} {found[name]:10.2f}   aim {aim:g}")


if __name__ == "__main__":
    main()
