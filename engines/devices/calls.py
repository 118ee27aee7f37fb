"""Calls that may hang, each in a thread that is left behind where it does.

One call at a time for each key. What comes late is kept all the same; a call that has been out for
`LEFT_BEHIND_S` no longer keeps the next one from being made. A thread that hangs in the kernel can
never be ended, so for each key at most `LOST_LIMIT` are given up, each after twice the time of the
one before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

LEFT_BEHIND_S = 10.0
LOST_LIMIT = 3


@dataclass(slots=True)
class _Key:
    """How one key stands. `out` are the calls that have not come back, oldest first."""

    out: list[tuple[float, threading.Event]] = field(default_factory=list)
    newest: threading.Event | None = None


class Calls:
    """Safe to use from several threads."""

    def __init__(self, left_behind_s: float = LEFT_BEHIND_S) -> None:
        self._left_behind_s = left_behind_s
        self._lock = threading.Lock()
        self._keys: dict[str, _Key] = {}

    def start(self, key: str, call: Callable[[], None]) -> bool:
        """Make a call in a thread unless one with this key is out, and not yet given up. `call`
        keeps its own result, and must not raise."""
        with self._lock:
            state = self._keys.setdefault(key, _Key())
            if not self._may_start(state):
                return False
            done = threading.Event()
            state.out.append((time.monotonic(), done))
            state.newest = done
        threading.Thread(
            target=self._run, args=(state, done, call), name=f"nvml {key}", daemon=True
        ).start()
        return True

    def _may_start(self, state: _Key) -> bool:
        lost = len(state.out) - 1
        if lost < 0:
            return True
        newest_s = state.out[-1][0]
        patience_s = self._left_behind_s * 2**lost
        return lost < LOST_LIMIT and time.monotonic() - newest_s > patience_s

    def _run(self, state: _Key, done: threading.Event, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            with self._lock:
                state.out = [each for each in state.out if each[1] is not done]
            done.set()

    def wait(self, keys: Iterable[str], until_s: float) -> None:
        """Wait until the newest call of each key has come back, or the monotonic clock says
        `until_s`."""
        with self._lock:
            events = [state.newest for key in keys if (state := self._keys.get(key))]
        for event in events:
            if event is not None:
                event.wait(max(0.0, until_s - time.monotonic()))

    def out_s(self, key: str) -> float:
        """For how long the oldest call of a key has been out; 0 where none is."""
        with self._lock:
            state = self._keys.get(key)
            return time.monotonic() - state.out[0][0] if state and state.out else 0.0
