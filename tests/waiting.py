"""Waiting for what is to come about, by its condition: the deadline is reached by faults only."""

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 60.0
"""Far more than anything here takes, also on a machine that is busy with something else."""

_POLL_S = 0.02


def wait_until(
    holds: Callable[[], object],
    seconds: float = PATIENCE_S,
    *,
    not_yet: tuple[type[Exception], ...] = (),
) -> None:
    """Return once it holds; fails when it does not come. What raises `not_yet` does not hold."""
    until = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except not_yet:
            pass
        assert time.monotonic() < until, "it did not come about"
        time.sleep(_POLL_S)


def wait_for_file(path: Path) -> None:
    """Return once a file says something."""
    wait_until(lambda: path.exists() and path.read_bytes())


class HeldClock:
    """A monotonic clock that stands still until it is let go, for what would run out meanwhile."""

    def __init__(self) -> None:
        self._stands_at: float | None = time.monotonic()
        self._behind = 0.0

    def __call__(self) -> float:
        return time.monotonic() - self._behind if self._stands_at is None else self._stands_at

    def go(self) -> None:
        """Let it run, from where it stood."""
        if self._stands_at is not None:
            self._behind = time.monotonic() - self._stands_at
            self._stands_at = None
