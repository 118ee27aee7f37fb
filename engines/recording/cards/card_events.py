"""What befell a card between two looks, in words for the event log."""

from __future__ import annotations

from engines.devices.cards import Card
from engines.devices.nvml import GpuSample
from engines.devices.nvml.sampling import REASON_BITS

THROTTLE_WORDS = {
    "power": "its power limit",
    "thermal": "heat",
    "hw_thermal": "heat, by the board itself",
    "power_brake": "the board's power supply",
    "sync_boost": "a slower GPU of its group",
}

_QUIET_US = 60_000_000
"""A cause that was gone for no longer is the same one still."""


def throttle_causes(sample: GpuSample | None) -> tuple[str, ...]:
    """Why the card's clocks are held back now."""
    reasons = 0 if sample is None else sample.reasons or 0
    return tuple(cause for cause, bit in REASON_BITS.items() if reasons & bit)


class CardChanges:
    """Told how one card stands again and again; says what is new of it."""

    def __init__(self) -> None:
        self._before: Card | None = None
        self._xids: int | None = None
        self._held_back_us: dict[str, int] = {}

    def since(self, card: Card, xids: int | None) -> list[str]:
        """What is new since the call before; nothing the first time, unless the card does not
        answer."""
        before, self._before = self._before, card
        known_xids, self._xids = self._xids, xids
        name = f"GPU {card.gpu.index}"
        news = _state_news(name, before, card)
        if xids is not None and xids > (known_xids or 0) and known_xids is not None:
            count = xids - known_xids
            times = f", {count} times" if count > 1 else ""
            news.append(f"{name}: XID {card.last_xid}{times}")
        if card.sample is not None:
            if before is not None and before.sample is not None:
                news += _sample_news(name, before.sample, card.sample)
            new_causes = self._new_causes(card.sample)
            if before is not None:
                news += [
                    f"{name}: its clocks are held back by {THROTTLE_WORDS[cause]}"
                    for cause in new_causes
                ]
        return news

    def _new_causes(self, sample: GpuSample) -> list[str]:
        """Causes that hold now, and did not for a while: the power limit comes and goes."""
        new = []
        for cause in throttle_causes(sample):
            last_us = self._held_back_us.get(cause)
            if last_us is None or sample.at_us - last_us > _QUIET_US:
                new.append(cause)
            self._held_back_us[cause] = sample.at_us
        return new


def _state_news(name: str, before: Card | None, card: Card) -> list[str]:
    state_before = "ok" if before is None else before.state
    if card.state == state_before:
        return []
    if card.state == "lost":
        return [f"{name} is lost: {card.reason}"]
    if card.state == "unknown":
        return [f"{name} does not answer: {card.reason}"]
    return [f"{name} answers again"]


def _sample_news(name: str, before: GpuSample, after: GpuSample) -> list[str]:
    news = []
    energy = before.energy_mj, after.energy_mj
    if energy[0] is not None and energy[1] is not None and energy[1] < energy[0]:
        news.append(f"{name} was reset, or its driver loaded anew: its counters begin again")
    for field, kind in (("ecc_uncorrected", "uncorrected"), ("ecc_corrected", "corrected")):
        first, last = getattr(before, field), getattr(after, field)
        if first is not None and last is not None and last > first:
            count = last - first
            news.append(f"{name}: {count} {kind} memory error{'s' if count > 1 else ''} (ECC)")
    return news
