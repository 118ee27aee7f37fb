"""Records engines into a ledger, in a thread and an event loop of its own.

Nothing here touches the screen's loop, so keys are answered while a server hangs. Each reading is
one transaction: a recorder that is killed loses at most the interval it was in, and the next one
goes on with the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engines.discovery.api_keys import NO_KEY, ApiKeys
from engines.engine_info import EngineInfo
from engines.held_gpus import NOTHING_STATED, StatedGpus
from engines.recording.cards.card_watch import CardWatch
from engines.recording.devices.neighbours import Neighbours
from engines.recording.engine_recorder import EngineRecorder
from engines.recording.wall_clock import SteadyClock
from store.clock import now_ms
from store.errors import TrimtabError
from store.ledger.writer import LedgerWriter
from store.recorder_name import new_owner
from store.retention import thinning as retention

Find = Callable[[], Sequence[EngineInfo]]

FIND_EVERY_S = 30.0
"""Looking through all processes takes 60 ms of CPU."""
FIND_FIRST_EVERY_S = 2.0
THIN_EVERY_S = 60.0
THIN_PAUSE_S = 0.2
STOP_S = 2.0
THREADS = 8


_log = logging.getLogger(__name__)


class Recorder:
    """Records the given engines, or all that `engines()` finds, now and later.

    `start` raises `LedgerUnusable` where the ledger cannot be written; what goes wrong later, with
    the ledger or one engine, is in `problem` until it is mended. `stop` returns within two seconds,
    whatever hangs.
    """

    def __init__(
        self,
        db_path: Path,
        engines: Sequence[EngineInfo] | Find,
        every_s: float = 1.0,
        keys: ApiKeys = NO_KEY,
        stated: StatedGpus = NOTHING_STATED,
    ) -> None:
        self._find: Find | None = engines if callable(engines) else None
        self._given_engines: Sequence[EngineInfo] = () if callable(engines) else tuple(engines)
        self._every_s = every_s
        self._keys = keys
        self._neighbours = Neighbours(stated)
        self._owner = new_owner()
        self._writer = LedgerWriter(db_path)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recorder")
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._main, name="recorder", daemon=True)
        self._cards = CardWatch(self._writer, self._threads, owner=self._owner, every_s=every_s)
        self._recorders: dict[str, EngineRecorder] = {}
        self._faults: dict[str, TrimtabError] = {}

    @property
    def problem(self) -> TrimtabError | None:
        """Why the ledger cannot be written now, else why an engine is not recorded; or None."""
        problems = [recorder.problem for recorder in list(self._recorders.values())]
        return next((each for each in (*problems, *list(self._faults.values())) if each), None)

    def take_notices(self) -> list[str]:
        """What came over the ledger and was mended since this was last asked, a line each."""
        return self._writer.take_notices()

    def start(self) -> None:
        """Open the ledger and begin to record."""
        self._writer.start()
        self._thread.start()

    def stop(self) -> None:
        """Write what was read, let go of the engines, and end."""
        began = time.monotonic()
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(STOP_S / 2)
        self._writer.close(max(0.1, STOP_S - (time.monotonic() - began)))
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._record())
        finally:
            # Not asyncio.run: it would wait for threads that hang in a name look-up.
            self._loop.close()

    async def _record(self) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}
        stop_task = asyncio.create_task(self._stopping.wait())
        look_task = asyncio.create_task(self._look(tasks))
        thin_task = asyncio.create_task(self._thin())
        cards_task = asyncio.create_task(self._cards.run(self._records_here))
        await asyncio.wait({stop_task, look_task}, return_when=asyncio.FIRST_COMPLETED)
        all_tasks = [stop_task, look_task, thin_task, cards_task, *tasks.values()]
        for task in all_tasks:
            task.cancel()
        await asyncio.wait(all_tasks, timeout=STOP_S / 4)

    def _records_here(self) -> bool:
        """Whether an engine of this host is recorded, whose cards are looked at."""
        return any(each.engine.pid is not None for each in list(self._recorders.values()))

    async def _look(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Begin to record each engine not yet recorded; look for more where we may."""
        while True:
            engines = self._given_engines
            if self._find is not None:
                engines = await self._find_engines(self._find)
            for engine in engines:
                self._begin_if_new(engine, tasks)
            is_waiting = not tasks or (self._find is None and len(tasks) < len(engines))
            await asyncio.sleep(FIND_FIRST_EVERY_S if is_waiting else FIND_EVERY_S)

    def _begin_if_new(self, engine: EngineInfo, tasks: dict[str, asyncio.Task[None]]) -> None:
        """One that cannot be begun is tried again at the next look: the others are recorded."""
        if engine.url in tasks:
            return
        try:
            task = tasks[engine.url] = self._begin(engine)
            self._faults.pop(engine.url, None)
            task.add_done_callback(lambda ended: self._end(engine, tasks, ended))
        except Exception as error:
            self._tell(engine.url, f"{engine.name} cannot be recorded", error)

    def _end(
        self, engine: EngineInfo, tasks: dict[str, asyncio.Task[None]], task: asyncio.Task[None]
    ) -> None:
        """It never ends by itself: if it does, that is a fault of ours, to be told."""
        if not task.cancelled() and (error := task.exception()) is not None:
            del tasks[engine.url]
            self._tell(engine.url, f"Recording {engine.name} ended", error)

    def _tell(self, where: str, what: str, error: BaseException) -> None:
        """Keep what went wrong as a problem; into the log with it, once."""
        fault = TrimtabError(what, f"{type(error).__name__}: {error}", "It is tried again")
        if str(self._faults.get(where)) != str(fault):
            _log.error("%s", what, exc_info=error)
        self._faults[where] = fault

    def _begin(self, engine: EngineInfo) -> asyncio.Task[None]:
        recorder = self._recorders[engine.url] = self._recorder(engine)
        return asyncio.create_task(recorder.run())

    async def _find_engines(self, find: Find) -> Sequence[EngineInfo]:
        """What runs now; nothing new where looking broke, which the next look may not."""
        try:
            found = await self._loop.run_in_executor(self._threads, find)
        except Exception as error:
            self._tell("", "Looking for engines broke", error)
            return ()
        for url in self._faults.keys() - {engine.url for engine in found}:
            del self._faults[url]
        return found

    async def _thin(self) -> None:
        """Thin old readings, a chunk at a time so that new ones need not wait."""
        has_more, clock = False, SteadyClock()
        while True:
            await asyncio.sleep(THIN_PAUSE_S if has_more else THIN_EVERY_S)
            has_more = False
            if not clock.is_believed(now_ms()):
                continue  # what is thinned is gone for good
            try:
                has_more = await asyncio.wrap_future(
                    self._writer.submit(lambda ledger: retention.tidy(ledger, now_ms()))
                )
            except TrimtabError:
                pass  # the next reading tells what is wrong
            except Exception as error:
                _log.error("thinning broke", exc_info=error)

    def _recorder(self, engine: EngineInfo) -> EngineRecorder:
        return EngineRecorder(
            engine,
            self._writer,
            self._threads,
            self._neighbours,
            self._cards,
            owner=self._owner,
            every_s=self._every_s,
            keys=self._keys,
        )
