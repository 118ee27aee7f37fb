"""Whether two tellings of an engine's process are of the same one.

A PID may be another process's by now (in a container it repeats with each start), so the start
counts as well.
"""

from __future__ import annotations

from store.records import RunInfo

START_TOLERANCE_S = 2.0
"""How far the start of one process may differ between two ways of telling it (the page, /proc)."""


def may_be_same_life(one: RunInfo, other: RunInfo) -> bool:
    """Whether nothing that is known of both tells them apart."""
    pids_differ = one.pid is not None and other.pid is not None and one.pid != other.pid
    return not pids_differ and _may_be_same_start(one.started_ms, other.started_ms)


def is_same_life(one: RunInfo, other: RunInfo) -> bool:
    """The same where one of which no process is known is never one of which one is."""
    return one.pid == other.pid and may_be_same_life(one, other)


def _may_be_same_start(one_ms: int | None, other_ms: int | None) -> bool:
    if one_ms is None or other_ms is None:
        return True
    return abs(one_ms - other_ms) <= START_TOLERANCE_S * 1000
