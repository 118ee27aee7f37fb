"""Whether the wall clock goes on as the monotonic one does, or was set meanwhile.

Rows of the ledger carry the wall clock's time. Where it jumps, what lies on both sides does not
belong to one span, and nothing old may be thrown away on its word.
"""

from __future__ import annotations

import time

JUMP_S = 2.0
"""So far apart is more than a clock that is being slewed gets between two looks."""
STEADY_S = 3600.0
"""After so long without a jump the clock is believed. One that was wrong from the start is set
right sooner by whoever keeps the time of this host."""


class WallClock:
    """Told the time of both clocks again and again."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def jumped(self, wall_ms: int, mono_us: int) -> float:
        """By how many seconds the wall clock has jumped since it was last told; 0 where it went on.

        A host that slept jumps, too: the monotonic clock stands still meanwhile.
        """
        before, self._last = self._last, (wall_ms, mono_us)
        if before is None:
            return 0.0
        jump_s = (wall_ms - before[0]) / 1e3 - (mono_us - before[1]) / 1e6
        return jump_s if abs(jump_s) > JUMP_S else 0.0


class SteadyClock:
    """Tells whether the wall clock has gone steadily for long enough to be believed."""

    def __init__(self) -> None:
        self._clock = WallClock()
        self._since = time.monotonic()

    def is_believed(self, wall_ms: int) -> bool:
        """Asked now and then, at least every few minutes."""
        now = time.monotonic()
        if self._clock.jumped(wall_ms, round(now * 1e6)):
            self._since = now
        return now - self._since >= STEADY_S


def jump_text(jump_s: float) -> str:
    """A jump in words."""
    direction = "forward" if jump_s > 0 else "back"
    return f"the clock of this host went {direction} by {abs(jump_s):.0f} s"
