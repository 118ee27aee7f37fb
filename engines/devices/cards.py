"""The cards of this machine as they were last seen: one set in a process, for all who ask.

A tick samples each card once, each in a call of its own (`engines.devices.calls`), so that a card
that is slow or hangs costs only itself. What comes late counts from when it came. A card that was
once there stays: the driver that is gone, hangs or no longer lists it makes it unknown or lost.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial

from engines.devices.calls import Calls
from engines.devices.nvml.library import LOST, Library, NvmlFault
from engines.devices.nvml.listing import Listing, list_gpus
from engines.devices.nvml.sampling import GpuReader
from engines.devices.nvml.values import Gpu, GpuSample
from engines.devices.nvml.xids import XidWatch
from store.device_columns import CardState

LIST_EVERY_S = 60.0
LIST_TROUBLED_S = 5.0
"""How often the driver is asked anew which GPUs it has: where all is well, and where not."""
SILENT_S = 5.0
"""A card that has told nothing for so long, and for three times as long as it last took, is
unknown."""
_DRIVER = "driver"


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it was last seen. `sample` is its last good one, None before the first; `reason`
    says why it is not `ok`. `last_xid` is the number of the last XID."""

    gpu: Gpu
    sample: GpuSample | None
    state: CardState
    reason: str = ""
    last_xid: int | None = None


class _Known:
    """What is kept of one card."""

    def __init__(self, library: Library, gpu: Gpu) -> None:
        self.reader = GpuReader(library, gpu)
        self.since = time.monotonic()
        self.sample: GpuSample | None = None
        self.told_at = self.since
        self.took_s = 0.0
        self.lost = ""
        self.problem = ""
        self.missing: tuple[CardState, str] | None = None

    @property
    def gpu(self) -> Gpu:
        return self.reader.gpu

    def read(self, keep_from: GpuReader) -> bool:
        """Take a sample and keep it; whether the driver should be asked anew which GPUs it has."""
        began = time.monotonic()
        sample = keep_from.read()
        now = time.monotonic()
        if keep_from is not self.reader or (self.sample and sample.at_us < self.sample.at_us):
            return False  # of a call that was given up
        self.took_s = now - began
        self.problem = sample.problem
        self.lost = sample.problem if sample.fault == "lost" else ""
        if not sample.fault:
            self.sample, self.told_at = sample, now
        return sample.fault in ("lost", "stale")

    def state(self) -> tuple[CardState, str]:
        """How the card stands now, and why."""
        if self.missing is not None:
            return self.missing
        if self.lost:
            return "lost", self.lost
        silent_s = time.monotonic() - self.told_at
        if silent_s <= max(SILENT_S, 3 * self.took_s) and (self.sample or not self.problem):
            return "ok", ""
        return "unknown", self.problem or "it does not answer"


class Cards:
    """All cards. `tick` may be called by several; they share what one of them asks for."""

    def __init__(self, library: Library | None = None, calls: Calls | None = None) -> None:
        self._library = library or Library()
        self._calls = calls or Calls()
        self._xids = XidWatch(self._library)
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._dead: dict[str, str] = {}
        self._list_at = -LIST_EVERY_S
        self._is_troubled = True
        self._listed = threading.Event()
        self.problem = ""
        """Why there are no cards, '' where there are."""

    def tick(self, deadline_s: float) -> None:
        """Sample every card that is not being sampled; back when all have told, or after
        `deadline_s`."""
        until_s = time.monotonic() + deadline_s
        self._list(until_s)
        with self._lock:
            known = list(self._known.values())
        for each in known:
            self._calls.start(each.gpu.uuid, partial(self._read, each, each.reader))
        # One that hangs for so long is not worth the wait; what it tells late is kept.
        uuids = [each.gpu.uuid for each in known]
        self._calls.wait([uuid for uuid in uuids if self._calls.out_s(uuid) < SILENT_S], until_s)

    def watch_xids(self) -> None:
        """Count XIDs from now on, which takes a thread."""
        with self._lock:
            self._xids.follow([each.gpu for each in self._known.values()])

    def seen(self) -> list[Card]:
        """Every card ever seen, in NVML's order. Never waits."""
        with self._lock:
            known = list(self._known.values())
        cards = []
        for each in known:
            state, reason = each.state()
            if state != "lost" and not self._library.is_started:
                state, reason = "unknown", self.problem
            last_xid = self._xids.last(each.gpu.uuid)
            cards.append(Card(each.gpu, each.sample, state, reason, last_xid))
        return sorted(cards, key=lambda card: [int(part) for part in card.gpu.index.split(":")])

    def dead(self) -> dict[str, str]:
        """The places, by index, at which the driver has a GPU that never answered, and why."""
        return dict(self._dead)

    def xids_of(self, uuid: str) -> int | None:
        """How many XIDs a card has told of since `watch_xids`; None where it tells none."""
        return self._xids.count(uuid)

    def is_listed(self) -> bool:
        """Whether the driver has answered once, be it that there is none."""
        return self._listed.is_set()

    def driver_silent_s(self) -> float:
        """For how long the driver has not answered which GPUs it has; 0 where it does."""
        return self._calls.out_s(_DRIVER)

    def _list(self, until_s: float) -> None:
        now = time.monotonic()
        due_s = LIST_TROUBLED_S if self._is_troubled else LIST_EVERY_S
        if now - self._list_at >= due_s:
            self._list_at = now
            self._calls.start(_DRIVER, self._ask_driver)
        if not self._listed.is_set() or not self._known:
            self._calls.wait([_DRIVER], until_s)

    def _ask_driver(self) -> None:
        try:
            is_anew = not self._library.is_started
            if is_anew:
                self._library.start()
            listing = list_gpus(self._library)
        except NvmlFault as fault:
            self._tell_no_driver(fault)
        except Exception as error:  # whatever it is: no card rather than no program
            self._tell_no_driver(NvmlFault(f"{type(error).__name__}: {error}"))
        else:
            self._take(listing, is_anew=is_anew)
        self._listed.set()

    def _tell_no_driver(self, fault: NvmlFault) -> None:
        self.problem, self._is_troubled = str(fault), True
        if self._library.is_started:
            self._library.stop()

    def _take(self, listing: Listing, *, is_anew: bool) -> None:
        """Keep what the driver lists; what it no longer does is lost."""
        listed = {gpu.uuid: gpu for gpu in listing.gpus}
        with self._lock:
            for uuid, gpu in listed.items():
                known = self._known.get(uuid)
                if known is None:
                    self._known[uuid] = _Known(self._library, gpu)
                elif is_anew or known.lost or known.problem or known.gpu != gpu:
                    known.reader = GpuReader(self._library, gpu)
            for uuid, known in self._known.items():
                known.missing = None if uuid in listed else _missing(known.gpu, listing)
            self._dead = {index: str(fault) for index, fault in listing.dead.items()}
            is_whole = not listing.dead and len(listed) == len(self._known)
            self._is_troubled = not is_whole or not listed
            none = "the NVIDIA driver sees no GPU"
            told = "; ".join(f"GPU {index}: {why}" for index, why in listing.dead.items())
            self.problem = "" if self._known else told or none

    def _read(self, each: _Known, reader: GpuReader) -> None:
        if each.read(reader):
            self._is_troubled = True


def _missing(gpu: Gpu, listing: Listing) -> tuple[CardState, str]:
    """How a card stands that the driver no longer lists, and why."""
    fault = listing.dead.get(gpu.index.partition(":")[0])
    if fault is None:
        return "lost", "the driver no longer lists it"
    return ("lost" if fault.code in LOST else "unknown"), str(fault)
