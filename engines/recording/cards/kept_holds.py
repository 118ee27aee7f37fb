"""Who holds which GPU, as the cards tell; what does not answer is held on by whoever held it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from engines.devices import gpus
from engines.devices.cards import Card
from engines.devices.joining.holding import Asked
from engines.held_gpus import GpuHold, Holding


class KeptHolds:
    """For all engines of a recorder. `seen` are the cards as they were last seen. Thread-safe."""

    def __init__(self, seen: Callable[[], list[Card]]) -> None:
        self._seen = seen
        self._kept: dict[Asked, dict[str, GpuHold]] = {}
        self._lock = threading.Lock()

    def resume(self, asked: Asked, holds: Iterable[GpuHold]) -> None:
        """What an engine held when it was last recorded: held still until it is seen not to be."""
        with self._lock:
            kept = self._kept.setdefault(asked, {})
            for hold in holds:
                kept.setdefault(hold.device.uuid, hold)

    def forget(self, asked: Asked) -> None:
        """The engine has ended."""
        with self._lock:
            self._kept.pop(asked, None)

    def look(self, asked: Sequence[Asked]) -> list[Holding]:
        """What each engine holds now. Looks through /proc: for a thread."""
        cards = self._seen()
        answering = {card.gpu.uuid for card in cards if tells_processes(card)}
        holdings = gpus.holds(asked, cards)
        with self._lock:
            return [
                self._with_silent(each, holding, answering)
                for each, holding in zip(asked, holdings, strict=True)
            ]

    def _with_silent(self, asked: Asked, holding: Holding, answering: set[str]) -> Holding:
        before = self._kept.get(asked, {})
        silent = {uuid: hold for uuid, hold in before.items() if uuid not in answering}
        holds = {hold.device.uuid: hold for hold in holding.holds} | silent
        self._kept[asked] = holds
        return Holding(tuple(holds.values()), "" if holds else holding.why_none)


def tells_processes(card: Card) -> bool:
    """Whether a card says now which processes compute on it."""
    sample = card.sample
    return card.state == "ok" and sample is not None and sample.processes is not None
