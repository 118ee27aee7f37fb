"""Follow a starting engine until it answers, or tell why it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from engines.host import lifetime
from engines.serving.causes import why_it_ended
from engines.serving.health import HealthCheck
from engines.serving.log_phases import PHASES, LogPhases
from engines.serving.registry import note_members
from engines.serving.started import Started
from store.errors import NotAchieved

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Phase:
    """How far a start is: phase `index` of `total`, from 1; 0 before the log says anything."""

    index: int
    total: int
    text: str
    elapsed_s: float


class StartFailed(NotAchieved):
    """The engine ended, or did not answer in time."""


def wait_healthy(
    started: Started,
    timeout_s: float = 300.0,
    on_phase: Callable[[Phase], None] | None = None,
) -> None:
    """Return once the engine answers its health check; raises `StartFailed`.

    `on_phase` is called on every turn, also while nothing changes, so that it can show the time.
    An engine that is only slow is left running: whoever started it decides.
    """
    began = time.monotonic()
    log = LogPhases(started.log_path)
    check = HealthCheck(started)
    while True:
        index = log.advance()
        elapsed = time.monotonic() - began
        if on_phase is not None:
            text = PHASES[index - 1][1] if index else "starting"
            on_phase(Phase(index, len(PHASES), text, elapsed))
        if not lifetime.is_alive(started.pid, started.start_ticks):
            raise _ended(started)
        if check.passes(has_started=index == len(PHASES)):
            note_members(started.name)
            return
        if elapsed >= timeout_s:
            raise StartFailed(
                f"the engine does not answer after {timeout_s:.0f} s",
                "it was still starting then",
                f"see {started.log_path}",
            )
        time.sleep(_POLL_S)


def _ended(started: Started) -> StartFailed:
    status = lifetime.exit_status(started.pid, wait_s=2.0)
    ending = "the engine ended while starting"
    if status is not None and status < 0:
        ending += f" by signal {-status}" + (" (often out of memory)" if status == -9 else "")
    elif status is not None:
        ending += f" with exit code {status}"
    return StartFailed(ending, why_it_ended(started.log_path), f"see {started.log_path}")
