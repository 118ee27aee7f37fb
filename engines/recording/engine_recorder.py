"""Records one engine: lease, sampler, knobs and journal, and finding it again when it restarts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import TypeVar

from engines.discovery.api_keys import ApiKeys
from engines.discovery.find import probe
from engines.discovery.local import stranger_at
from engines.engine_info import EngineInfo
from engines.metrics_page import Sample
from engines.recording import ledger_writes
from engines.recording.cards.card_watch import CardWatch
from engines.recording.current_run import lives, run_info_of, run_of
from engines.recording.devices.device_time import DeviceSample
from engines.recording.devices.held_devices import HeldDevices
from engines.recording.devices.neighbours import Neighbours
from engines.recording.judging.lives import is_same_life
from engines.recording.knob_watch import KnobWatch
from engines.recording.ledger_writes import LeaseLost
from engines.recording.sampler import Run, Sampler
from engines.web.http import DEADLINE_S
from store.clock import now_ms
from store.device_columns import DeviceReading
from store.errors import LedgerUnusable, TrimtabError
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.reading_columns import Reading
from store.records import Device, DeviceNote, Event
from store.tables import engines, events, recorders
from store.tables.devices import upsert_device
from store.tables.doubts import DEVICES
from store.tables.engines import EngineState

T = TypeVar("T")
_log = logging.getLogger(__name__)

KNOBS_EVERY_S = 2.0
LEASE_RETRY_S = 1.0
FAULT_PAUSE_S = 2.0
REDISCOVER_EVERY_S = 3.0
REDISCOVER_AT_LAST_S = 30.0
"""How often an engine is looked for on this machine that does not answer: the longer it has been
silent the more rarely. Its address is asked at each instant all the same."""
BEAT_EVERY_S = 1.5
"""A lease lasts 5 s (`store.tables.recorders`). Readings keep it by the way; where none has for so
long, it is kept by itself. More than a second, so that readings at 1 s cost no other write."""


class NotOurs(Exception):
    """Another user's process has taken the engine's address."""


class EngineRecorder:
    """One engine's part of a `Recorder`; also the `Sink` of its sampler."""

    def __init__(
        self,
        engine: EngineInfo,
        writer: LedgerWriter,
        threads: Executor,
        neighbours: Neighbours,
        cards: CardWatch,
        *,
        owner: str,
        every_s: float,
        keys: ApiKeys,
    ) -> None:
        self.engine = engine
        self.problem: LedgerUnusable | None = None
        self._writer = writer
        self._threads = threads
        self._owner = owner
        self._every_s = every_s
        self._keys = keys
        self._engine_id = 0
        self._ledger_number = -1
        self._run_id: int | None = None
        self._device_ids: dict[Device, int] = {}
        self._cards = cards
        self._card_news = cards.newest
        self._devices = HeldDevices(threads, neighbours, cards)
        self._said_state: tuple[EngineState, str] | None = None
        self._kept_told: tuple[int, Mapping[str, str], Sequence[DeviceNote]] | None = None
        self._sampler: Sampler | None = None
        self._search: asyncio.Task[None] | None = None
        self._stranger = ""
        self._was_gone = False
        self._searched_at = self._turned_at = self._kept_at = self._stored_at = time.monotonic()

    async def run(self) -> None:
        """Record until cancelled, whenever nobody else does."""
        try:
            while True:
                try:
                    waited = await self._take_lease()
                    async with self._beside(self._keep_beating()):
                        if waited:  # while another recorded, it may be another process by now
                            await self._find_again()
                        await self._until_ours()
                        await self._record()
                except NotOurs:
                    self._run_id = None
                except LeaseLost:
                    self._forget_ids()
                except LedgerUnusable:
                    self._forget_ids()
                    await asyncio.sleep(LEASE_RETRY_S)
                except Exception as error:  # whatever it is, this engine is recorded on
                    await self._tell_fault(error)
        finally:
            self._devices.forget(self.engine)
            if self._search is not None:
                self._search.cancel()
            self._submit(lambda ledger: recorders.release(ledger, self._engine_id, self._owner))

    def _forget_ids(self) -> None:
        """What the ledger calls things: where it was deleted, the new one knows none of it."""
        self._run_id = self._said_state = self._kept_told = None
        self._device_ids.clear()

    async def _until_ours(self) -> None:
        """Wait while another user's process has the address, which nobody named: it is not read."""
        loop = asyncio.get_running_loop()
        while self._stranger:
            self._turned_at = time.monotonic()
            reason = f"a process of {self._stranger} has its address now"
            await self._write(lambda ledger: self._tell_gone(ledger, reason))  # noqa: B023
            await asyncio.sleep(REDISCOVER_EVERY_S)
            self._stranger = await loop.run_in_executor(self._threads, self._find_stranger)

    def _tell_gone(self, ledger: Ledger, reason: str) -> None:
        self._keep_lease(ledger)
        self._say(ledger, "gone", reason, now_ms())

    def _find_stranger(self) -> str:
        """The other user whose process serves the address, '' for none, or where it was named."""
        url = self.engine.url
        return "" if self._keys.is_named(url) else stranger_at(url)

    def _check_ours(self) -> None:
        if self._stranger:
            raise NotOurs

    async def _tell_fault(self, error: Exception) -> None:
        """What nobody had thought of: into the log with it, and to whoever looks at the engine."""
        _log.error("recording %s broke", self.engine.url, exc_info=error)
        self._forget_ids()
        reason = f"recording it broke ({type(error).__name__}), and begins again"
        with contextlib.suppress(Exception):
            await self._write(lambda ledger: self._say(ledger, "unreadable", reason, now_ms()))
        await asyncio.sleep(FAULT_PAUSE_S)

    async def _take_lease(self) -> bool:
        """Become the engine's recorder; True if another one was until then."""
        engine, owner = self.engine, self._owner

        def introduce(ledger: Ledger) -> tuple[int, int]:
            engine_id = engines.upsert_engine(ledger, engine.url, engine.name)
            if self._ledger_number not in (-1, ledger.number):
                text = "recorded here from now on: the ledger before this one is not there any more"
                events.add(ledger, engine_id, Event(now_ms(), "ledger", text))
            return ledger.number, engine_id

        self._ledger_number, self._engine_id = await self._settled(self._writer.submit(introduce))
        waited = False
        while not await self._write(
            lambda ledger: recorders.acquire(ledger, self._engine_id, owner, now_ms())
        ):
            waited = True
            await asyncio.sleep(LEASE_RETRY_S)
        self._turned_at = self._kept_at = time.monotonic()
        return waited

    async def _record(self) -> None:
        engine, key = self.engine, self._key()
        self._sampler = Sampler(
            engine.url, self, every_s=self._every_s, api_key=key, certificate=engine.certificate
        )
        async with self._beside(self._watch_knobs()):
            await self._sampler.run()

    @contextlib.asynccontextmanager
    async def _beside(self, work: Coroutine[None, None, None]) -> AsyncIterator[None]:
        """Let `work` go on within the block. Where it breaks, that ends nothing else and hides no
        error of the block's."""
        task = asyncio.create_task(work)
        try:
            yield
        finally:
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(outcome, Exception) and not isinstance(outcome, LeaseLost):
                _log.error("beside recording %s", self.engine.url, exc_info=outcome)

    async def _keep_beating(self) -> None:
        """Keep the lease while no reading does: where they are far apart, or one takes long.

        Not for longer than some turns may take: what hangs is to be taken over.
        """
        while True:
            now = time.monotonic()
            read_s = DEADLINE_S if self._sampler is None else self._sampler.deadline_s
            longest_s = 3 * max(self._every_s, read_s)
            is_kept = now - self._kept_at < BEAT_EVERY_S
            if is_kept or now - self._turned_at > longest_s:
                await asyncio.sleep(self._kept_at + BEAT_EVERY_S - now if is_kept else BEAT_EVERY_S)
                continue
            self._kept_at = now
            with contextlib.suppress(LedgerUnusable):
                await self._write(self._keep_lease)

    def _keep_lease(self, ledger: Ledger) -> None:
        ledger_writes.keep_lease(ledger, self._engine_id, self._owner, now_ms())
        self._kept_at = time.monotonic()

    async def open_run(self, sample: Sample, at_ms: int, why: str, *, anew: bool = False) -> Run:
        """The run in the ledger that this sample belongs to."""
        if why or self.engine.pid is None:  # it may not have been there when we began
            await self._find_again()
        self._check_ours()
        self._turned_at = time.monotonic()
        info = run_info_of(self.engine, sample)

        def write(ledger: Ledger) -> tuple[Run, dict[Device, int]]:
            self._keep_lease(ledger)
            run = ledger_writes.begin_run(
                ledger, self._engine_id, info, sample, at_ms=at_ms, why=why, anew=anew
            )
            return run, ledger_writes.held_at_end(ledger, run)

        run, held = await self._write(write)
        self._devices.resume(self.engine, held)
        self._run_id = run.run_id
        return run

    async def devices(self) -> list[DeviceSample]:
        """The devices that the engine holds now, by their id in the ledger."""
        samples = await self._devices.sample(self.engine)
        for device, _ in samples:
            if device not in self._device_ids:
                self._device_ids[device] = await self._write(
                    lambda ledger, device=device: upsert_device(ledger, device)  # type: ignore[misc]
                )
        return [replace(reading, device_id=self._device_ids[device]) for device, reading in samples]

    async def store(
        self, reading: Reading, devices: Sequence[DeviceReading], doubts: Mapping[str, str]
    ) -> bool:
        """Keep a reading with its doubts, the lease and the state `ok`, in one transaction."""
        if self._was_gone:  # whoever answers now need not be who did before
            self._was_gone = False
            await self._find_again()
        if self._devices.why_unknown:
            doubts = {**doubts, DEVICES: self._devices.why_unknown}
        self._check_ours()
        notes = self._devices.notes
        self._turned_at = self._stored_at = time.monotonic()

        news = self._cards.news(self.engine.url, self._card_news)

        def write(ledger: Ledger) -> bool:
            self._keep_lease(ledger)
            kept = ledger_writes.store_reading(ledger, reading, devices)
            for each in news:
                events.add(ledger, self._engine_id, Event(each.ts_ms, "gpu", each.text))
            told = reading.run_id, doubts, notes
            if kept and self._kept_told != told:
                ledger_writes.keep_told(ledger, self._engine_id, reading, doubts, notes)
                self._kept_told = told
            doubtful = {text for what, text in doubts.items() if what != DEVICES}
            self._say(ledger, "ok", "; ".join(sorted(doubtful)), reading.ts_ms)
            return kept

        try:
            kept = await self._write(write)
            self._card_news = max((each.number for each in news), default=self._card_news)
            return kept
        except LedgerUnusable:
            # The next reading is cumulative, too: what this one would have told is not lost.
            return True

    async def unreadable(self, reason: str, at_ms: int) -> None:
        """Say so, keep the lease, and look whether the engine is still the same."""
        self._check_ours()
        self._turned_at = time.monotonic()
        engine = self.engine
        gone = engine.pid is not None and not lives(engine)

        def write(ledger: Ledger) -> int | None:
            self._keep_lease(ledger)
            if gone:
                self._say(ledger, "gone", f"its process {engine.pid} has ended", at_ms)
                return self._run_id
            self._say(ledger, "unreadable", reason, at_ms)
            # Its knobs can be read and turned all the same, and they belong to a run.
            turnable = self._run_id is None and engine.sockets
            return run_of(ledger, engine.run_info()) if turnable else self._run_id

        if gone:
            self._was_gone = True
            self._devices.forget(engine)
        with contextlib.suppress(LedgerUnusable):
            self._run_id = await self._write(write)
        silent_s = time.monotonic() - self._stored_at
        pause_s = min(max(REDISCOVER_EVERY_S, silent_s / 20), REDISCOVER_AT_LAST_S)
        due = time.monotonic() - self._searched_at >= pause_s
        if due and (self._search is None or self._search.done()):
            self._search = asyncio.create_task(self._find_again())

    def _say(self, ledger: Ledger, state: EngineState, reason: str, at_ms: int) -> None:
        """In the writer's thread: set the engine's state unless it was the last said."""
        if self._said_state != (state, reason):
            ledger_writes.say_state(ledger, self._engine_id, state, reason, at_ms)
            self._said_state = (state, reason)

    async def _find_again(self) -> None:
        """Ask anew what serves at the engine's address: it may be another process by now."""
        self._searched_at = time.monotonic()
        url, key = self.engine.url, self._key()
        loop = asyncio.get_running_loop()
        self._stranger = await loop.run_in_executor(self._threads, self._find_stranger)
        if self._stranger:
            return
        try:
            engine = await loop.run_in_executor(self._threads, lambda: probe(url, key))
        except TrimtabError:
            return
        is_same = is_same_life(engine.run_info(), self.engine.run_info())
        self.engine = replace(engine, url=url, name=self.engine.name)
        if self._sampler is not None and not is_same:
            await self._sampler.begin_again(self._key())

    def _key(self) -> str | None:
        return self._keys.of(self.engine.url, self.engine.pid)

    async def _watch_knobs(self) -> None:
        """Copy knob states and the plugin's journal into the ledger while there is a run."""
        loop = asyncio.get_running_loop()
        watch, told_problem = KnobWatch(self._submit), ""
        while True:
            sockets, run_id = self.engine.sockets, self._run_id
            if sockets and run_id is not None:
                await loop.run_in_executor(
                    self._threads, watch.copy, sockets, self._engine_id, run_id
                )
                if watch.problem != told_problem:
                    told_problem = watch.problem
                    await self._tell_knobs(told_problem)
            await asyncio.sleep(KNOBS_EVERY_S if run_id is not None else self._every_s / 4)

    async def _tell_knobs(self, problem: str) -> None:
        """A line in the event log where the knobs could not be read, and where they can again."""
        text = f"its knobs cannot be read: {problem}" if problem else "its knobs can be read again"
        event = Event(now_ms(), "knobs", text)
        try:
            await self._write(lambda ledger: events.add(ledger, self._engine_id, event))
        except LeaseLost:
            raise
        except Exception as error:  # a line less; the knobs are watched on
            if not isinstance(error, LedgerUnusable):
                _log.error("telling of the knobs of %s broke", self.engine.url, exc_info=error)

    def _submit(self, write: Callable[[Ledger], T]) -> Future[T]:
        """Queue a write into the ledger that our ids are from: `LeaseLost` where it is another."""

        def checked(ledger: Ledger) -> T:
            if ledger.number != self._ledger_number:
                raise LeaseLost("The ledger is another one now")
            return write(ledger)

        return self._writer.submit(checked)

    async def _write(self, write: Callable[[Ledger], T]) -> T:
        return await self._settled(self._submit(write))

    async def _settled(self, future: Future[T]) -> T:
        try:
            result = await asyncio.wrap_future(future)
        except LedgerUnusable as error:
            self.problem, self._said_state = error, None
            raise
        self.problem = None
        return result
