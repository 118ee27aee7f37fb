"""When a crashed engine is started again, and when no more."""

from __future__ import annotations

from collections.abc import Sequence

PAUSES_S: Sequence[float] = (1, 2, 4, 8, 16)
"""The wait before each new start in a row; when they are used up, no more."""
STABLE_S = 60.0
"""An engine that served for so long has recovered: the next crash is a new story."""


class Backoff:
    """Counts starts that came to nothing."""

    def __init__(self) -> None:
        self._failures = 0

    @property
    def failures(self) -> int:
        """Crashes since the engine last served for `STABLE_S`."""
        return self._failures

    def crashed(self, served_s: float) -> float | None:
        """Seconds to wait before the next start of an engine that served for so long before it
        ended; None when it is to be given up."""
        self._failures = 1 if served_s >= STABLE_S else self._failures + 1
        if self._failures > len(PAUSES_S):
            return None
        return PAUSES_S[self._failures - 1]
