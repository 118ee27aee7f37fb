"""A new ledger beside one that can no longer be recorded into."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path

from store.errors import LedgerUnusable, TrimtabError

REFUSED_S = 60.0
"""A disk that has refused for so long is not waited for any more."""


class Breakage:
    """Told again and again what keeps a ledger from being written or read: whether that lasts.

    A full disk does not: recording goes on once there is room.
    """

    def __init__(self) -> None:
        self._refused_since: float | None = None

    def lasts(self, *problems: TrimtabError | None) -> TrimtabError | None:
        """The problem that nothing mends, or None."""
        from store.ledger.identity import NotALedger
        from store.ledger.troubles import LedgerDamaged, LedgerRefused

        now = time.monotonic()
        refusal = next((each for each in problems if isinstance(each, LedgerRefused)), None)
        if refusal is None:
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        for problem in problems:
            if isinstance(problem, NotALedger | LedgerDamaged):
                return problem
        since = self._refused_since
        return refusal if since is not None and now - since >= REFUSED_S else None


def new_beside(path: Path) -> Path | None:
    """A new ledger beside the one at `path`, made already; None where there can be none."""
    from store.ledger.connection import Ledger

    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    beside = next(name for name in names if not os.path.lexists(name))
    try:
        Ledger.open(beside).close()
    except LedgerUnusable:
        return None
    return beside
