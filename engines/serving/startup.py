"""Follow a starting engine until it answers, or tell why it ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.host import lifetime
from engines.serving.causes import exit_words, why_it_ended
from engines.serving.progress import Progress
from engines.serving.registry import note_members
from engines.serving.start_watch import Phase, StartTimes, StartWatch
from engines.serving.started import Started
from store.errors import NotAchieved
from store.metrics.formats import format_bytes

_POLL_S = 0.25


class StartFailed(NotAchieved):
    """The engine ended, or did not answer in time."""


def wait_healthy(
    started: Started,
    timeout_s: float = 300.0,
    on_phase: Callable[[Phase], None] | None = None,
    *,
    stalled_s: float | None = None,
) -> StartTimes:
    """Return once the engine answers its health check; raises `StartFailed`, also where it makes
    no progress for `stalled_s` seconds.

    `on_phase` is called on every turn, also while nothing changes, so that it can show the time.
    An engine that is only slow is left running: whoever started it decides.
    """
    watch = StartWatch(started)
    progress = Progress(started.pid, started.start_ticks)
    while True:
        phase = watch.look()
        if on_phase is not None:
            on_phase(phase)
        if not lifetime.is_alive(started.pid, started.start_ticks):
            raise _ended(started)
        if watch.serves():
            note_members(started.name)
            return watch.times()
        if stalled_s is not None and progress.stalled_s(phase.index) >= stalled_s:
            raise _stalled(started, progress, stalled_s)
        if phase.elapsed_s >= timeout_s:
            raise StartFailed(
                f"the engine does not answer after {timeout_s:.0f} s",
                "it was still starting then",
                f"see {started.log_path}",
            )
        time.sleep(_POLL_S)


def _stalled(started: Started, progress: Progress, stalled_s: float) -> StartFailed:
    return StartFailed(
        f"the start makes no progress: no new phase for {stalled_s:.0f} s",
        f"it got {progress.cpu_s:.1f} s of CPU time and moved {format_bytes(progress.bytes)}",
        f"other processes hold its cores, or it waits for something: see {started.log_path}",
    )


def _ended(started: Started) -> StartFailed:
    ending = f"the engine ended while starting{exit_words(started.pid)}"
    return StartFailed(ending, why_it_ended(started.log_path), f"see {started.log_path}")
