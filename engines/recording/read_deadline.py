"""How long to wait for a page: as long as its engine has lately needed, within bounds.

An engine under load answers late, and that is when one looks. So the deadline doubles with each
page that did not come in time, and comes down again with those that do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from engines.web.http import DEADLINE_S, Fetcher, TooSlow

LONGEST_S = 10.0
"""Prometheus's default for the whole of a scrape."""
SLOW_S = 1.0
"""From so many seconds on an engine is told to answer slowly."""
_ROOM = 3
"""How many times longer than the last answer the next may take."""


class ReadDeadline:
    """One engine's."""

    def __init__(self) -> None:
        self._deadline_s = DEADLINE_S
        self._is_slow = False

    async def read(self, fetcher: Fetcher, path: str) -> bytes:
        """The page; raises `ReadFailed`."""
        began = time.monotonic()
        try:
            page = await fetcher.get(path, deadline_s=self._deadline_s)
        except TooSlow:
            self._deadline_s = min(2 * self._deadline_s, LONGEST_S)
            raise
        took_s = time.monotonic() - began
        self._is_slow = took_s > (SLOW_S / 2 if self._is_slow else SLOW_S)
        self._deadline_s = min(max(DEADLINE_S, _ROOM * took_s), LONGEST_S)
        return page

    @property
    def seconds(self) -> float:
        """How long the next page may take."""
        return self._deadline_s

    @property
    def doubts(self) -> Mapping[str, str]:
        """What to say of it, in the same words for as long as it holds."""
        return {"pages": f"it takes more than {SLOW_S:g} s to answer"} if self._is_slow else {}
