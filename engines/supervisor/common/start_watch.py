"""How far a start has got, as its log tells, and whether the engine answers."""

from __future__ import annotations

import time

from engines.serving.health import HealthCheck
from engines.serving.log_phases import PHASES, LogPhases
from engines.serving.started import Started


class StartWatch:
    """Follows one start, `from_beginning` or not; cheap to ask again and again."""

    def __init__(self, started: Started, *, from_beginning: bool = True) -> None:
        self.from_beginning = from_beginning
        self._log = LogPhases(started.log_path)
        self._check = HealthCheck(started)
        self._began = time.monotonic()
        self.phases: dict[str, float] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return round(time.monotonic() - self._began, 1)

    def serves(self) -> bool:
        """Whether it takes requests, as its health check says: a log tells only how far it is."""
        index = self._log.advance()
        if index:
            self.phases.setdefault(PHASES[index - 1][1], self.elapsed_s)
        return self._check.passes(has_started=index == len(PHASES))
