"""Record a small ledger with the program's own recorder, and keep what the program says of it.

    python -m tests.store.kept_ledgers.make    # v7.ledger.gz and v7.json, beside this file

Half a minute of a made-up engine: the page of a real vLLM, its counters multiplied as time goes on.
A minute turns, the page cannot be read for a while, and the engine restarts. Knobs, changes,
snapshots, swaps and a start are written as the commands write them. Nothing tells the machine.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from engines.discovery.find import EngineInfo
from engines.recording.devices.device_time import DeviceSample
from engines.recording.devices.held_devices import HeldDevices
from engines.recording.engine_recorder import EngineRecorder
from engines.recording.recorder import Recorder
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.ledger.versions.steps import SCHEMA_VERSION
from store.records import Change, Device, Event, KnobState
from store.reports.step_line import StepLine
from store.reports.swap import SwapReport
from store.tables import changes, events, knobs, runs, snapshots, starts, swaps
from store.tables.engines import find_engine
from tests.servers import REAL_PAGE, reply, serving
from tests.store.kept_ledgers.figures import figures

EVERY_S = 0.5
HOST = Device("host", "host-of-the-test", "CPU of the test")
GPU = Device("gpu", "GPU-of-the-test", "Test GPU 80GB")
GAUGES = {
    "vllm:num_requests_running": (3.0, 8.0, 5.0, 0.0),
    "vllm:num_requests_waiting": (0.0, 2.0, 1.0, 0.0),
    "vllm:kv_cache_usage_perc": (0.21, 0.637, 0.4, 0.0),
}
_LINE = re.compile(r"^(?P<name>[a-zA-Z_:]+)(?P<labels>\{.*\})? (?P<value>\S+)$")
_GROWS = ("_total", "_bucket", "_count", "_sum")


class FakeEngine:
    """The page of a vLLM that works on: each request for it tells of more work done."""

    def __init__(self) -> None:
        self.began_s = time.time() - 100
        self.work = 0
        self.asked = 0
        self.well = True

    def restart(self) -> None:
        """Begin anew: another start time, counters near zero."""
        self.began_s, self.work = time.time(), 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            self.work += self.asked % 4
            writer.write(
                reply(self._page()) if self.well else reply(b"", status="500 Server Error")
            )
            await writer.drain()

    def _page(self) -> bytes:
        return "".join(f"{self._line(line)}\n" for line in REAL_PAGE.decode().splitlines()).encode()

    def _line(self, line: str) -> str:
        told = _LINE.match(line)
        if told is None:
            return line
        name, labels, value = told["name"], told["labels"] or "", float(told["value"])
        if name in GAUGES:
            value = GAUGES[name][self.asked % 4]
        elif name == "process_start_time_seconds":
            value = self.began_s
        elif name.startswith(("vllm:", "http_")) and name.endswith(_GROWS):
            value *= self.work
        return f"{name}{labels} {value!r}"


async def sample(_: HeldDevices, __: EngineInfo) -> list[tuple[Device, DeviceSample]]:
    """A GPU that works and a share of a host, in place of this machine's."""
    passed = time.monotonic()
    gpu = DeviceSample(
        0,
        busy_ppm=round(passed * 7_000) % 1_000_000,
        memory_mib=40_000 + round(passed) % 100,
        energy_mj=round(passed * 312_000),
    )
    return [(HOST, DeviceSample(0, share_ppm=500_000)), (GPU, gpu)]


async def same_engine(_: EngineRecorder) -> None:
    """Nobody is looked for: what serves the page is this process, and no vLLM."""


HeldDevices.sample = sample  # type: ignore[method-assign]
EngineRecorder._find_again = same_engine  # type: ignore[method-assign]


def act(db: Path, url: str, number: int) -> None:
    """What a person does: change a knob; the second time, take the change back."""
    with Ledger.open(db) as ledger, ledger.transaction():
        row = find_engine(ledger, url)
        assert row is not None
        run = runs.latest_run(ledger, row.id)
        assert run is not None
        caching = number % 2 == 0
        states = [
            KnobState("enable_prefix_caching", "live", caching, True, None, None),
            KnobState("max_num_seqs", "live", 8 + number, 16, 1, 16),
        ]
        at = now_ms()
        knobs.record(ledger, run.id, at, states)
        change = Change(
            f"00000000-0000-4000-8000-00000000000{number}",
            at,
            "enable_prefix_caching",
            not caching,
            caching,
            "applied",
            "undo" if number > 1 else "set",
            "operator",
            why="a cold comparison",
            took_ms=1.25 + number / 3,
            undoes=f"00000000-0000-4000-8000-00000000000{number - 1}" if number > 1 else None,
            per_engine={"0": "applied"},
        )
        changes.record(ledger, run.id, change)
        events.add(ledger, row.id, Event(at, "change", "enable_prefix_caching turned"))


def end(db: Path, url: str) -> None:
    """Snapshots, swaps and a start."""
    with Ledger.open(db) as ledger:
        row = find_engine(ledger, url)
        assert row is not None
        at = now_ms()
        configuration = {"model": "tiny", "knobs": {"max_num_seqs": 9}}
        for name, ago in (("baseline", 30_000), ("after", 8_000)):
            snapshots.save(
                ledger,
                snapshots.Snapshot(
                    name, row.id, at - ago, at - ago + 8_000, at, configuration, "–"
                ),
            )
        steps = (StepLine(0.5, "plan", "ünïcode"),)
        for number, outcome in enumerate(("done", "rolled back")):
            swap = SwapReport(
                f"swap-{number}", at + number, "int4", "overlap", outcome, "it fits",
                "operator", "cheaper", 12.345678901234567, 0.25, steps,
            )  # fmt: skip
            swaps.record(ledger, row.id, swap)
        phases = {"process": 0.1, "weights": 2.0 / 3.0, "healthy": 7.123456789}
        start = starts.StartRow(at, "tiny", starts.command_key(["a"]), True, 7.5, phases)
        starts.record(ledger, row.id, start)


def record(db: Path) -> None:
    """Record through the turn of a minute."""
    fake = FakeEngine()
    with serving(fake.answer) as server:
        while time.time() % 60 < 47:
            time.sleep(0.1)
        told = EngineInfo(
            server.url, "tiny", pid=4242, vllm_version="0.32.0", arguments=("vllm", "serve", "tiny")
        )
        recorder = Recorder(db, [told], EVERY_S)
        recorder.start()
        time.sleep(8)
        act(db, server.url, 1)
        time.sleep(7)
        fake.well = False
        time.sleep(4)
        fake.well = True
        time.sleep(3)
        act(db, server.url, 2)
        time.sleep(3)
        fake.restart()
        time.sleep(8)
        recorder.stop()
        end(db, server.url)


def main() -> None:
    out = Path(__file__).with_name(f"v{SCHEMA_VERSION}")
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "made.ledger"
        record(db)
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("VACUUM")
        out.with_suffix(".ledger.gz").write_bytes(gzip.compress(db.read_bytes(), mtime=0))
        with Ledger.open(db) as ledger:
            told = json.dumps(figures(ledger), ensure_ascii=False, separators=(",", ":"))
        out.with_suffix(".json").write_text(told + "\n")


if __name__ == "__main__":
    main()
