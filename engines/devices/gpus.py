"""The GPUs of this machine: what each does, and which engine holds it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engines.devices.cards import Card, Cards
from engines.devices.joining import holding
from engines.devices.joining.holding import Asked, join
from engines.devices.nvml import Gpu
from engines.held_gpus import Holding
from store.records import Device

ASK_S = 3.0
"""How long it may take to ask all cards where nobody waits for more."""
_FRESH_S = 2.0
"""What a card told so lately need not be asked for again."""

CARDS = Cards()
"""This process's: whoever records keeps them fresh, anyone may look."""


def look(deadline_s: float = ASK_S) -> list[Card]:
    """Every card, asked now unless it has told within the last seconds; within `deadline_s`."""
    fresh_us = (time.monotonic() - _FRESH_S) * 1e6
    cards = CARDS.seen()
    if not cards or any(card.sample is None or card.sample.at_us < fresh_us for card in cards):
        CARDS.tick(deadline_s)
        cards = CARDS.seen()
    return cards


def why_none() -> str:
    """Why there are no GPUs; '' where there are."""
    if CARDS.problem or CARDS.is_listed():
        return CARDS.problem
    return "the NVIDIA driver does not answer"


def devices_of(engine_pid: int, stated: str = "") -> Holding:
    """The GPUs that an engine (by its root PID) holds now. Never raises, may take `ASK_S`."""
    return holds([Asked(engine_pid, stated)], look())[0]


def holds(asked: Sequence[Asked], cards: Sequence[Card]) -> list[Holding]:
    """The GPUs of several engines at once, in the order in which they are asked for, by what the
    cards told last. Looks through /proc."""
    if not asked:
        return []
    if not cards:
        return [Holding(why_none=why_none()) for _ in asked]
    told = [
        holding.Card(card.gpu, (card.sample.processes or ()) if card.sample else ())
        for card in cards
    ]
    return join(told, asked)


def device_of(gpu: Gpu) -> Device:
    """A GPU as the ledger knows it."""
    return Device("gpu", gpu.uuid, gpu.name)
