"""The states of a supervisor, each with what it needs. `words` is what is told of it.

Adopting → Recovering → Starting → Loading → Serving ⇄ Swapping
A crash leads from Loading or Serving over Pausing to Starting, or to GivenUp; a stop that was asked
for from anywhere over Stopping to Stopped. What is done in a state is a function in a file beside
this one, listed in `supervisor.py`; it gives the state after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engines.serving.started import Started
from engines.supervisor_client.swap_order import Order


class State:
    """What a supervisor is at."""

    words: ClassVar[str]


class Ended(State):
    """The end: the supervisor leaves with this exit status. One that `lingers` waits a moment, so
    that whoever asked can still be told how it came out."""

    exit_status: ClassVar[int]
    lingers: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Adopting(State):
    """An engine that somebody else started is being restarted under this supervisor."""

    words = "adopting"


@dataclass(frozen=True, slots=True)
class Recovering(State):
    """It looks what a supervisor before it left."""

    words = "starting"


@dataclass(frozen=True, slots=True)
class Starting(State):
    """A process is to be started now."""

    words = "starting"


@dataclass(frozen=True, slots=True)
class Loading(State):
    """The engine runs and does not take requests yet."""

    engine: Started
    words = "starting"


@dataclass(frozen=True, slots=True)
class Serving(State):
    """The engine takes requests. Only here a swap begins."""

    engine: Started
    words = "serving"


@dataclass(frozen=True, slots=True)
class Swapping(State):
    """A swap runs."""

    engine: Started
    order: Order
    words = "swapping"


@dataclass(frozen=True, slots=True)
class Pausing(State):
    """The engine ended by itself after it had served for `served_s` seconds, or could not be
    started; time passes before the next try."""

    served_s: float
    words = "waiting to start again"


@dataclass(frozen=True, slots=True)
class Stopping(State):
    """It was asked to stop; what runs may finish for `drain_s` seconds."""

    drain_s: float
    words = "stopping"


class Stopped(Ended):
    """The engine was stopped."""

    words = "stopped"
    exit_status = 0
    lingers = True


class GivenUp(Ended):
    """The engine ended and is not started again."""

    words = "given up"
    exit_status = 1


class NotAdopted(Ended):
    """The engine that was to be adopted is not ours."""

    words = "given up"
    exit_status = 1
    lingers = True
