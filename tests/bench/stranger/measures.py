"""What another user could slow down."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count, pairwise

import psutil

from store.clock import now_ms
from tests.bench.pty_screen import PtyScreen
from tests.crossings.world import KNOB, World

WINDOW_S = 10.0
READY_S = 60.0
GAPS = "between the recorder's rows"
_numbers = count()
_FIRST = ("sh", "-c", 'echo -10 > /proc/self/autogroup; exec "$@"', "sh")
"""What else runs on the host is not to be measured: a session is a group of its own to the kernel,
and the screen is in one."""


def samples(world: World) -> Iterator[tuple[str, float]]:
    """Each thing measured once: its name, and seconds (of the gaps as many as there were)."""
    recorder = psutil.Process(world.recorder.pid)
    began_ms, began_s = now_ms(), _cpu_s(recorder)
    time.sleep(WINDOW_S)
    yield "CPU of the recorder", _cpu_s(recorder) - began_s
    yield from ((GAPS, gap_s) for gap_s in _gaps_s(world, began_ms))
    yield from _screen("screen by name to first data", world, "--engine", world.name)
    yield from _screen("screen by address to first data", world, world.url)
    yield from _command("trimtab engines", "engines", "--json")
    for what, engine in (("address", world.url), ("name", world.name)):
        change = ("set", f"{KNOB}={next(_numbers) % 8 + 4}", "--engine", engine)
        yield from _command(f"trimtab set, by {what}", *change, "--db", str(world.db))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _gaps_s(world: World, since_ms: int) -> list[float]:
    with closing(sqlite3.connect(f"file:{world.db}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT ts_ms FROM readings WHERE ts_ms >= ? ORDER BY ts_ms", (since_ms,)
        )
        return [(after - before) / 1000 for (before,), (after,) in pairwise(rows.fetchall())]


def _command(name: str, *words: str) -> Iterator[tuple[str, float]]:
    began_s, began_cpu_s = time.perf_counter(), _children_cpu_s()
    subprocess.run([sys.executable, "-m", "app", *words], check=True, capture_output=True)
    yield name, time.perf_counter() - began_s
    yield f"  CPU of {name}", _children_cpu_s() - began_cpu_s


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _screen(name: str, world: World, *words: str) -> Iterator[tuple[str, float]]:
    """Until a reading of its own has come through a ledger of its own: the version stands there."""
    db = world.home / f"screen-{next(_numbers)}.db"
    with PtyScreen([*words, "--db", str(db)], prefix=_FIRST) as screen:
        took_s = screen.read(READY_S, until="vLLM 0.32.0")
        assert took_s is not None, screen.text()[-2000:]
        yield name, took_s
        yield f"  CPU of {name}", screen.cpu_s()
