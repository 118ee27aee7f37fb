"""A wall clock that steps by as many seconds as a file says, in every Python below."""

import os
import time
from pathlib import Path

_FILE = os.environ.get("STEPPED_CLOCK")
_now_ns = time.time_ns


def _stepped_ns() -> int:
    try:
        return _now_ns() + int(Path(_FILE or "").read_text("ascii") or 0) * 1_000_000_000
    except (OSError, ValueError):
        return _now_ns()


if _FILE:
    time.time_ns = _stepped_ns
    time.time = lambda: _stepped_ns() / 1e9
