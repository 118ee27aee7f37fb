"""The parts that engines have of GPUs, found for all engines of a recorder at the same instants.

Were each engine to look for itself, an engine that came would for some seconds have a part that the
others have not given up yet. Here a part is valid from one instant on for all, and device-time is
summed at it, so what the engines of a GPU are charged is never more than its time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from engines.devices.joining.holding import Asked
from engines.held_gpus import Holding

WHOLE = 1_000_000
SHARES_EVERY_S = 5.0
Look = Callable[[Sequence[Asked]], Sequence[Holding]]


@dataclass(slots=True)
class GpuShares:
    """What each engine holds, and its device-time on each GPU since this began to count, in parts
    per million × microseconds. Thread-safe."""

    _holdings: dict[Asked, Holding] = field(default_factory=dict)
    _held_ppm_us: dict[tuple[Asked, str], int] = field(default_factory=dict)
    _counted_us: int = 0
    _looked_us: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(
        self, asked: Asked, everyone: Sequence[Asked], look: Look, now_us: int
    ) -> tuple[Holding, Mapping[str, int]]:
        """What one engine holds, and its device-time by the GPU's UUID. `look` is asked for all
        engines at once, when `SHARES_EVERY_S` have passed or the engine was not known yet."""
        with self._lock:
            self._count(now_us)
            if asked not in self._holdings or now_us - self._looked_us >= SHARES_EVERY_S * 1e6:
                self._looked_us = now_us
                all_asked = list(dict.fromkeys((asked, *everyone)))
                self._holdings = dict(zip(all_asked, look(all_asked), strict=True))
                self._held_ppm_us = {
                    key: held for key, held in self._held_ppm_us.items() if key[0] in self._holdings
                }
            holding = self._holdings[asked]
            ahead_us = self._counted_us - now_us  # another was asked for at a later instant
            return holding, {
                hold.device.uuid: self._held_ppm_us.get((asked, hold.device.uuid), 0)
                - int(hold.share * WHOLE) * ahead_us
                for hold in holding.holds
            }

    def look_anew(self) -> None:
        """At the next question look again: what there is to see has changed."""
        with self._lock:
            self._looked_us = 0

    def _count(self, now_us: int) -> None:
        """Add up device-time until now at the parts that were valid since the last time."""
        passed_us = max(0, now_us - self._counted_us) if self._counted_us else 0
        for asked, holding in self._holdings.items():
            for hold in holding.holds:
                key = asked, hold.device.uuid
                held = self._held_ppm_us.get(key, 0)
                self._held_ppm_us[key] = held + int(hold.share * WHOLE) * passed_us
        self._counted_us = max(now_us, self._counted_us)
