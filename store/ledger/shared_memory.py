"""The `-shm` file of an open ledger, through which the processes that use it know its log.

Each has it mapped: where somebody cuts it, the next access is a SIGBUS, which ends the process.
Before that it can be given back as zeros: SQLite then reads the log anew, as after a crash
(https://sqlite.org/walformat.html, "Recovery"), and nothing is lost. Not even its beginning may
stay: it would tell of pages of the log that are not found any more. A cut in the midst of a
transaction, which takes milliseconds, is not seen in time.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_REGION = 1 << 15
"""Bytes that SQLite maps at a time; they tell of some 4,000 pages of the log."""
_BEGUN = 3
"""Its size for a moment, while the first of its users begins it."""
_LOOK_S = 0.002
_LOG_OF_REGION = 4_000 * 512
"""Bytes of the log that a region tells of at the least: pages have 512 bytes or more."""


class SharedMemory:
    """That of one ledger. It is never opened here: closing it would drop the locks that this
    process has on it, as SQLite's are POSIX locks."""

    def __init__(self, database: Path) -> None:
        real = os.path.realpath(database)
        self._path, self._log = f"{real}-shm", f"{real}-wal"
        self._bytes = 0
        self._looked_at = 0.0
        self.cuts = 0

    def keep(self) -> None:
        """Give back what was cut off since the last call; `cuts` counts how often. Raises OSError
        where that is not possible. A look a moment ago is enough."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        try:
            size = os.stat(self._path).st_size  # noqa: PTH116 - at each statement, paths cost
        except OSError:
            return
        if size >= self._bytes and size % _REGION in (0, _BEGUN):
            self._bytes = size
            return
        log_bytes = 0
        with contextlib.suppress(OSError):
            log_bytes = os.stat(self._log).st_size  # noqa: PTH116
        needed = (1 + log_bytes // _LOG_OF_REGION) * _REGION
        os.truncate(self._path, 0)
        os.truncate(self._path, max(self._bytes, needed))
        self.cuts += 1
