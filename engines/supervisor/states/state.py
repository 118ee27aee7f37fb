"""The states of a supervisor, each with what it needs. `words` is what is told of it.

Adopting → Recovering → Starting → Loading → Serving ⇄ Swapping
A crash leads from Loading or Serving over Pausing to Starting, or to GivenUp; a stop that was asked
for from anywhere over Stopping to Stopped. What is done in a state is a function in a file beside
this one, listed in `lifecycle.py`; it gives the state after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engines.serving.started import Started
from engines.supervisor_client.client import GIVEN_UP
from engines.supervisor_client.swap_order import Order


class _State:
    words: ClassVar[str]


class Ended(_State):
    """The end: the supervisor leaves with this exit status. One that `lingers` waits a moment, so
    that whoever asked can still be told how it came out."""

    exit_status: ClassVar[int]
    lingers: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Adopting(_State):
    """An engine that somebody else started is being restarted under this supervisor."""

    words = "adopting"


@dataclass(frozen=True, slots=True)
class Recovering(_State):
    """It looks what a supervisor before it left."""

    words = "starting"


@dataclass(frozen=True, slots=True)
class Starting(_State):
    """A process is to be started now."""

    words = "starting"


@dataclass(frozen=True, slots=True)
class Loading(_State):
    """The engine runs and does not take requests yet."""

    engine: Started
    words = "starting"


@dataclass(frozen=True, slots=True)
class Serving(_State):
    """The engine takes requests. Only here a swap begins."""

    engine: Started
    words = "serving"


@dataclass(frozen=True, slots=True)
class Swapping(_State):
    """A swap runs."""

    engine: Started
    order: Order
    words = "swapping"


@dataclass(frozen=True, slots=True)
class Pausing(_State):
    """The engine ended by itself after it had served for `served_s` seconds, or could not be
    started; time passes before the next try."""

    served_s: float
    words = "waiting to start again"


@dataclass(frozen=True, slots=True)
class Stopping(_State):
    """It was asked to stop; what runs may finish for `drain_s` seconds."""

    drain_s: float
    words = "stopping"


class Stopped(Ended):
    """The engine was stopped."""

    words = "stopped"
    exit_status = 0
    lingers = True


class NotStopped(Ended):
    """The engine was to be stopped, and the kernel holds it."""

    words = "will not go"
    exit_status = 1
    lingers = True


class GivenUp(Ended):
    """The engine ended and is not started again."""

    words = GIVEN_UP
    exit_status = 1


class NotAdopted(Ended):
    """The engine that was to be adopted is not ours."""

    words = GIVEN_UP
    exit_status = 1
    lingers = True


Going = Adopting | Recovering | Starting | Loading | Serving | Swapping | Pausing | Stopping
"""The states in which something is done: `lifecycle.py` has a case for each, held by mypy."""

State = Going | Ended
"""What a supervisor is at."""
