"""An instant in text: UTC for programs, local time for people. All take ms since the epoch."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from app.text.output import UNKNOWN


def iso(ms: int | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond; None stays None."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def date_time(ms: int | None) -> str:
    """Local date and time: 2026-11-03 16:04:59."""
    return UNKNOWN if ms is None else _local(ms, "%Y-%m-%d %H:%M:%S")


def clock_time(ms: int, *, seconds: bool = True) -> str:
    """Local time of day: 16:04:59, without `seconds` 16:04."""
    return _local(ms, "%H:%M:%S" if seconds else "%H:%M")


def _local(ms: int, form: str) -> str:
    return time.strftime(form, time.localtime(ms / 1000))
