"""Looks at every card of this host once a tick, for all engines that are recorded here.

What the cards do is kept by one recorder of a host at a time, whoever is first; the others look,
too, for their own engines' sake. A driver that hangs costs nothing but what it would have told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from engines.devices.cards import Card, Cards
from engines.devices.gpus import CARDS, device_of
from engines.devices.host.host_device import host_device
from engines.recording.cards.card_events import CardChanges, throttle_causes
from engines.recording.cards.card_time import CardAccumulator
from engines.recording.cards.kept_holds import KeptHolds
from store.clock import now_ms
from store.device_columns import CardNow
from store.errors import NotCumulative, TrimtabError
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.tables import cards as table
from store.tables.devices import upsert_device

DEADLINE_S = 0.5
NO_CARD_PAUSE_S = 5.0
_NEWS_KEPT = 200
_MIB = 1 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CardNews:
    """A line for the event log of whoever holds the card."""

    number: int
    uuid: str
    ts_ms: int
    text: str


class CardWatch:
    """The cards of this host as one recorder sees them.

    `held` names the cards that each recorded engine holds, by the engine's address; what befalls a
    card that none of them holds is news for all.
    """

    def __init__(
        self, writer: LedgerWriter, threads: Executor, *, owner: str, every_s: float
    ) -> None:
        self.held: dict[str, Collection[str]] = {}
        self._writer = writer
        self._threads = threads
        self._owner = owner
        self._every_s = every_s
        self._cards: Cards = CARDS
        self.holds = KeptHolds(self._cards.seen)
        self._host = host_device().uuid
        self._changes: dict[str, CardChanges] = {}
        self._news: deque[CardNews] = deque(maxlen=_NEWS_KEPT)
        self._numbered = 0
        self._accumulators: dict[str, CardAccumulator] = {}
        self._ids: dict[str, int] = {}
        self._ledger_number = -1

    async def run(self, is_wanted: Callable[[], bool]) -> None:
        """Look until cancelled, while `is_wanted`: while an engine of this host is recorded."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                cards = await self._look() if is_wanted() else []
                pause_s = self._every_s if cards else NO_CARD_PAUSE_S
                await asyncio.sleep(max(0.05, began + pause_s - clock()))
        finally:
            self._writer.submit(lambda ledger: table.release(ledger, self._host, self._owner))

    async def ready(self) -> None:
        """Back once the driver was asked a first time, or does not answer in time."""
        if not self._cards.is_listed():
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._cards.tick, DEADLINE_S)

    def seen(self) -> list[Card]:
        """Every card as it was last seen."""
        return self._cards.seen()

    def news(self, url: str, after: int) -> list[CardNews]:
        """What befell the cards since the news numbered `after` that concerns an engine."""
        own = self.held.get(url, ())
        others = {uuid for uuids in self.held.values() for uuid in uuids}
        return [
            each
            for each in list(self._news)
            if each.number > after and (each.uuid in own or each.uuid not in others)
        ]

    @property
    def newest(self) -> int:
        """The number of the last news."""
        return self._numbered

    async def _look(self) -> list[Card]:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._cards.tick, DEADLINE_S)
        cards = self._cards.seen()
        if not cards:
            return cards
        self._cards.watch_xids()
        at_ms, mono_us = now_ms(), time.monotonic_ns() // 1_000
        for card in cards:
            self._note(card, at_ms)
        try:
            await asyncio.wrap_future(
                self._writer.submit(lambda ledger: self._keep(ledger, cards, at_ms, mono_us))
            )
        except NotCumulative:
            self._ledger_number = -1  # another clock wrote there: go on from what is there
        except TrimtabError:
            pass  # whoever records an engine tells what is wrong
        except Exception as error:
            _log.error("keeping the cards broke", exc_info=error)
            self._ledger_number = -1
        return cards

    def _note(self, card: Card, at_ms: int) -> None:
        changes = self._changes.setdefault(card.gpu.uuid, CardChanges())
        for text in changes.since(card, self._cards.xids_of(card.gpu.uuid)):
            self._numbered += 1
            self._news.append(CardNews(self._numbered, card.gpu.uuid, at_ms, text))

    def _keep(self, ledger: Ledger, cards: list[Card], at_ms: int, mono_us: int) -> None:
        """In the writer's thread: the rows of this instant, where the cards are ours to keep."""
        with ledger.transaction():
            if not table.acquire(ledger, self._host, self._owner, at_ms):
                self._ledger_number = -1
                return
            if ledger.number != self._ledger_number:
                self._accumulators.clear()
                self._ids.clear()
                self._ledger_number = ledger.number
            for card in cards:
                uuid = card.gpu.uuid
                accumulator = self._accumulators.get(uuid) or self._begin(ledger, card)
                sample = card.sample
                if sample is not None:
                    sample = replace(sample, xids=self._cards.xids_of(uuid))
                reading = accumulator.add(sample, at_ms, mono_us)
                now = card_now(card, at_ms, mono_us)
                table.keep(ledger, self._host, self._ids[uuid], now, reading)

    def _begin(self, ledger: Ledger, card: Card) -> CardAccumulator:
        device_id = upsert_device(ledger, device_of(card.gpu))
        last = table.last_reading(ledger, device_id)
        accumulator = CardAccumulator(device_id, self._every_s, last)
        self._ids[card.gpu.uuid] = device_id
        self._accumulators[card.gpu.uuid] = accumulator
        return accumulator


def card_now(card: Card, at_ms: int, mono_us: int) -> CardNow:
    """How a card stands, as the ledger keeps it; of one that does not answer no figures."""
    sample = card.sample
    told_ms = None if sample is None else at_ms - max(0, mono_us - sample.at_us) // 1_000
    stands = CardNow(card.gpu.index, card.state, card.reason, told_ms, last_xid=card.last_xid)
    if sample is None or card.state != "ok":
        return stands
    busy = sample.utilisation
    return replace(
        stands,
        busy_ppm=None if busy is None else round(busy * 1_000_000),
        memory_used_mib=_mib(sample.memory_used),
        memory_total_mib=_mib(sample.memory_total),
        power_mw=sample.power_mw,
        limit_mw=sample.limit_mw,
        temperature_c=sample.temperature_c,
        sm_mhz=sample.sm_mhz,
        memory_mhz=sample.memory_mhz,
        throttle=throttle_causes(sample),
    )


def _mib(size: int | None) -> int | None:
    return None if size is None else size // _MIB
