"""One start, followed: how far it has got, as its log tells, and whether the engine answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from engines.serving.health import HealthCheck
from engines.serving.log_phases import PHASES, LogPhases
from engines.serving.started import Started


@dataclass(frozen=True, slots=True)
class Phase:
    """How far a start is: phase `index` of `total`, from 1; 0 before the log says anything.
    `reached` is the second at which each phase was seen."""

    index: int
    total: int
    text: str
    elapsed_s: float
    reached: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StartTimes:
    """How long a start took until the engine was healthy, and the second of each phase."""

    took_s: float
    phases: Mapping[str, float]


class StartWatch:
    """Follows one start, `from_beginning` or not; cheap to ask again and again."""

    def __init__(self, started: Started, *, from_beginning: bool = True) -> None:
        self.from_beginning = from_beginning
        self._log = LogPhases(started.log_path)
        self._check = HealthCheck(started)
        self._began = time.monotonic()
        self._index = 0
        self._reached: dict[str, float] = {}

    def look(self) -> Phase:
        """Read on in the log."""
        self._index = self._log.advance()
        elapsed_s = time.monotonic() - self._began
        text = PHASES[self._index - 1][1] if self._index else "starting"
        if self._index and text not in self._reached:
            self._reached = {**self._reached, text: round(elapsed_s, 1)}
        return Phase(self._index, len(PHASES), text, elapsed_s, self._reached)

    def serves(self) -> bool:
        """Whether it takes requests, as its health check says: a log tells only how far it is."""
        return self._check.passes(has_started=self._index == len(PHASES))

    def times(self) -> StartTimes:
        """Those of a start that is healthy now."""
        return StartTimes(round(time.monotonic() - self._began, 1), self._reached)
