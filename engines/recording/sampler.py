"""One engine, read again and again at fixed instants: scrape → sample → reading.

A `Sampler` knows no ledger. It asks a `Sink` for a run when one begins, and hands it readings and
the engine's state. The instants are absolute (the start plus whole intervals), so they do not
drift; one that was missed because an answer took long is skipped, not made up for.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from engines.metrics_page import NotMetrics, PageReader, Sample
from engines.recording.accumulate import Accumulator, Scrape
from engines.recording.devices.device_time import DeviceAccumulator, DeviceSample
from engines.recording.judging.continuity import MORE_RANKS, lost, restarted
from engines.recording.judging.judgement import Judgement
from engines.recording.judging.lineage import Lineage, SeveralEngines
from engines.recording.read_deadline import ReadDeadline
from engines.recording.wall_clock import WallClock, jump_text
from engines.web.http import Fetcher, ReadFailed
from store.clock import now_ms
from store.device_columns import DeviceReading
from store.reading_columns import Reading

METRICS_PATH = "/metrics"
ALONE_AGAIN = "one engine answers alone again"
PATIENCE = 5
"""After so many pages in a row that lack a number the run had, they are taken for another life."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run to write to; with its last readings if it was recorded before."""

    run_id: int
    last: Reading | None = None
    last_devices: Sequence[DeviceReading] = ()


class Sink(Protocol):
    """Where a sampler's findings go."""

    async def open_run(self, sample: Sample, at_ms: int, why: str, *, anew: bool = False) -> Run:
        """The run that `sample` belongs to; `why` it is not the one before ("" at the start). With
        `anew` it is a new one, although the engine goes on."""

    async def devices(self) -> Sequence[DeviceSample]:
        """The devices that the engine holds now."""

    async def store(
        self, reading: Reading, devices: Sequence[DeviceReading], doubts: Mapping[str, str]
    ) -> bool:
        """Keep a reading, and why parts of it are unknown; False if it cannot belong to its run, so
        that a new one must begin."""

    async def unreadable(self, reason: str, at_ms: int) -> None:
        """The engine could not be read at this instant."""


@dataclass(slots=True)
class _Life:
    """What a sampler carries from scrape to scrape within one run."""

    accumulator: Accumulator
    judgement: Judgement
    devices: dict[int, DeviceAccumulator] = field(default_factory=dict)
    last: Sample | None = None
    incomplete: int = 0


class Sampler:
    """Reads one engine. `tick` is one scrape, `run` goes on until cancelled."""

    def __init__(
        self,
        url: str,
        sink: Sink,
        *,
        every_s: float = 1.0,
        api_key: str | None = None,
        certificate: Path | None = None,
    ) -> None:
        self._sink = sink
        self._every_s = every_s
        self._url = url
        self._api_key = api_key
        self._certificate = certificate
        self._fetcher = Fetcher(url, api_key=api_key, certificate=certificate)
        self._reader = PageReader()
        self._life: _Life | None = None
        self._clock = WallClock()
        self._lineage = Lineage()
        self._deadline = ReadDeadline()

    @property
    def deadline_s(self) -> float:
        """How long the page that is read now, or next, may take."""
        return self._deadline.seconds

    async def begin_again(self, api_key: str | None) -> None:
        """What comes next is another life of the engine, which may be a stranger's: it is told only
        the key that is meant for it, and the sink is asked for the run again."""
        self._life = None
        self._lineage = Lineage()
        if api_key != self._api_key:
            before, self._api_key = self._fetcher, api_key
            self._fetcher = Fetcher(self._url, api_key=api_key, certificate=self._certificate)
            await before.aclose()

    async def run(self) -> None:
        """Scrape at the start plus whole intervals until cancelled."""
        clock = asyncio.get_running_loop().time
        start, number = clock(), 0
        try:
            while True:
                await self.tick()
                number = next_instant(number, clock() - start, self._every_s)
                await asyncio.sleep(start + number * self._every_s - clock())
        finally:
            await self._fetcher.aclose()

    async def tick(self) -> None:
        """One scrape. A page that cannot be read stores nothing and says why."""
        try:
            page = await self._deadline.read(self._fetcher, METRICS_PATH)
            scrape = Scrape(now_ms(), time.monotonic_ns() // 1_000, self._reader.read(page))
            verdict = self._lineage.judge(scrape.sample, scrape.mono_us)
            if verdict == "hold back":
                return
            why = ALONE_AGAIN if verdict == "alone again" else self._check(scrape.sample)
            jump_s = self._clock.jumped(scrape.at_ms, scrape.mono_us)
        except (ReadFailed, NotMetrics) as error:
            if isinstance(error, SeveralEngines):
                self._life = None
            await self._sink.unreadable(error.what, now_ms())
            return
        life = self._life if why is None and not jump_s else None
        if life is None:
            anew = bool(jump_s) or why in (ALONE_AGAIN, MORE_RANKS)
            why = why or (jump_text(jump_s) if jump_s else "")
            life = await self._begin(scrape, why, anew=anew)
        await self._keep(life, scrape)

    async def _keep(self, life: _Life, scrape: Scrape) -> None:
        sample = life.judgement.believe(scrape.sample)
        life.last = scrape.sample
        reading = life.accumulator.add(replace(scrape, sample=sample))
        devices = await self._device_readings(life, reading, scrape.mono_us)
        doubts = {**sample.doubts, **self._deadline.doubts}
        if not await self._sink.store(reading, devices, doubts):
            self._life = None

    def _check(self, sample: Sample) -> str | None:
        """Why the sample begins another run, or None; raises `NotMetrics` if it is not whole."""
        life = self._life
        if life is None or life.last is None:
            return None
        why = restarted(life.last, sample)
        missing = None if why else lost(life.last, sample)
        life.incomplete = life.incomplete + 1 if missing else 0
        if missing is None:
            return why
        if life.incomplete > PATIENCE:
            return f"the engine no longer tells {missing}"
        raise NotMetrics(f"the page is not whole: {missing} was there before")

    async def _begin(self, scrape: Scrape, why: str, *, anew: bool) -> _Life:
        run = await self._sink.open_run(scrape.sample, scrape.at_ms, why, anew=anew)
        accumulator = Accumulator(run.run_id, self._every_s, run.last)
        life = _Life(accumulator, Judgement(run.last))
        for last in run.last_devices:
            device = DeviceAccumulator(run.run_id, self._every_s, last)
            if run.last is not None and last.ts_ms < run.last.ts_ms:
                device.let_go()  # it was held no more when the run was last read
            life.devices[last.device_id] = device
        self._life = life
        return life

    async def _device_readings(
        self, life: _Life, reading: Reading, mono_us: int
    ) -> list[DeviceReading]:
        readings = []
        samples = await self._sink.devices()
        for device_id in life.devices.keys() - {sample.device_id for sample in samples}:
            life.devices[device_id].let_go()
        for sample in samples:
            device = life.devices.get(sample.device_id)
            if device is None:
                device = DeviceAccumulator(reading.run_id, self._every_s)
                life.devices[sample.device_id] = device
            readings.append(device.add(sample, reading.ts_ms, mono_us))
        return readings


def next_instant(number: int, elapsed_s: float, every_s: float) -> int:
    """Which instant follows the one with this number: the next that has not passed yet."""
    return max(number + 1, math.ceil(elapsed_s / every_s))
