"""How long engines took to start, and what that tells of one that starts now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store.ledger.connection import Ledger

LEARNED_FROM = 10


@dataclass(frozen=True, slots=True)
class StartRow:
    """A start that ended in a healthy engine. `model` is what the weights were read from, `command`
    the `command_key` of its arguments, `beside` whether another engine ran meanwhile. `took_s` is
    from the first process to healthy, `phases` the second at which each phase was first seen."""

    ts_ms: int
    model: str
    command: str
    beside: bool
    took_s: float
    phases: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds until healthy in the fastest and the slowest of `starts` earlier ones. Both are 0
    where all of them had been healthy by now."""

    low_s: float
    high_s: float
    starts: int


def command_key(arguments: Sequence[str]) -> str:
    """A short name for what follows `vllm serve`: equal for equal arguments, and tells none."""
    return hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:16]


def record(ledger: Ledger, engine_id: int, start: StartRow) -> None:
    """Keep a start."""
    with ledger.transaction():
        ledger.conn.execute(
            "INSERT INTO starts (engine_id, ts_ms, model, command, beside, took_s, phases) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                engine_id,
                start.ts_ms,
                start.model,
                start.command,
                start.beside,
                start.took_s,
                json.dumps(dict(start.phases)),
            ),
        )


def alike(ledger: Ledger, model: str, command: str, *, beside: bool) -> list[StartRow]:
    """The newest earlier starts most like one of `model` by `command`, at most `LEARNED_FROM`.

    Those of the same company only, as a start beside a busy engine takes longer: of the same
    command, and where there are none of the model. Empty where it was never started so.
    """
    rows = ledger.conn.execute(
        "SELECT ts_ms, model, command, beside, took_s, phases, "
        "(command = :command) AS likeness FROM starts "
        "WHERE model = :model AND beside = :beside ORDER BY likeness DESC, ts_ms DESC LIMIT :most",
        {"model": model, "command": command, "beside": beside, "most": LEARNED_FROM},
    ).fetchall()
    return [
        StartRow(ts_ms, name, key, bool(with_another), took_s, json.loads(phases))
        for ts_ms, name, key, with_another, took_s, phases, likeness in rows
        if likeness == rows[0][-1]
    ]


def time_left(
    starts: Sequence[StartRow], elapsed_s: float, phases: Mapping[str, float]
) -> TimeLeft | None:
    """What `starts` tell of one that began `elapsed_s` ago and saw `phases` at these seconds.

    Each tells what it still needed from the newest phase that it has in common with this one, less
    the time since then. None without earlier starts.
    """
    if not starts:
        return None
    seconds_left = [_seconds_left(start, elapsed_s, phases) for start in starts]
    return TimeLeft(min(seconds_left), max(seconds_left), len(seconds_left))


def _seconds_left(start: StartRow, elapsed_s: float, phases: Mapping[str, float]) -> float:
    common_phases = [name for name in phases if name in start.phases]
    if not common_phases:
        return max(0.0, start.took_s - elapsed_s)
    newest = max(common_phases, key=lambda name: phases[name])
    return max(0.0, start.took_s - start.phases[newest] - (elapsed_s - phases[newest]))
