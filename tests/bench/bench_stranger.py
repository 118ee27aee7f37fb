"""How much another user of the host slows our work down.

    python -m tests.bench.bench_stranger [--pairs 10] [--processes 64]

Beside each measurement alone one beside processes of `nobody`: each titled as an engine, with 30 kB
of arguments and a port that takes connections and never answers. They sleep, so that what is
measured is what trimtab does about them. Root only.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.pty_screen import PtyScreen
from tests.fakes.engine_trees import fake_engine
from tests.fakes.strangers import strangers
from tests.servers import REAL_PAGE

AIM = 1.1
READY_S = 60.0
RECORD_S = 8


def command_s(*words: str) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "app", *words], check=True, capture_output=True)
    return time.perf_counter() - began


def recording_s(db: Path, *urls: str) -> float:
    """CPU seconds of a recorder over `RECORD_S`, with its start; without an address it looks for
    engines that come."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command_s("record", *urls, "--for", f"{RECORD_S}s", "--every", "1s", "--db", str(db))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def screen_s(db: Path) -> float:
    """Seconds until the screen of this machine's engines shows a figure."""
    began = time.perf_counter()
    with PtyScreen(["--db", str(db)]) as screen:
        assert screen.read(READY_S, until="running") is not None
        return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--processes", type=int, default=64)
    asked = parser.parse_args()
    if os.geteuid() != 0:
        print("only root can be another user as well: not measured")
        return
    print(f"{asked.processes} engines of a stranger's beside ours (aim {AIM:g})    ratio")
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o755)
        page = REAL_PAGE.decode()
        with fake_engine(home / "own", "tiny", plugins=[True], metrics=page) as engine:
            db = home / "l.db"
            measures: dict[str, Callable[[], float]] = {
                "trimtab engines": lambda: command_s("engines", "--json"),
                "trimtab set, by address": lambda: command_s(
                    "set", "max_num_seqs=8", "--engine", engine.url, "--db", str(db)
                ),
                "trimtab set, by name": lambda: command_s(
                    "set", "max_num_seqs=9", "--engine", "tiny", "--db", str(db)
                ),
                "CPU of record URL": lambda: recording_s(home / "r.db", engine.url),
                "CPU of record": lambda: recording_s(home / "s.db"),
                "screen to first figure": lambda: screen_s(home / "t.db"),
            }
            for name, measure in measures.items():
                alone, beside = [], []
                for _ in range(asked.pairs):
                    alone.append(measure())
                    with strangers(home / "strangers", asked.processes):
                        beside.append(measure())
                ratio = statistics.median(beside) / statistics.median(alone)
                lines = f"{statistics.median(alone):6.3f} -> {statistics.median(beside):6.3f} s"
                print(f"{name:32} {lines} {ratio:8.2f}", flush=True)


if __name__ == "__main__":
    main()
