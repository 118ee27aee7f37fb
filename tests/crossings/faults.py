"""What happens in the midst of an act."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.crossings.surroundings import empty_disk, fill_disk
from tests.crossings.world import World


@dataclass(frozen=True)
class Fault:
    """`heal` comes once the commands have ended. `ends_engine` and `loses_ledger` say what can no
    longer be asked for afterwards, `steps_clock` that one life of the engine may be two runs."""

    name: str
    strike: Callable[[World], object]
    heal: Callable[[World], object] = lambda _: None
    ends_engine: bool = False
    loses_ledger: bool = False
    steps_clock: bool = False


def _kill_asker(world: World) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(world.asked[-1].pid, signal.SIGKILL)


def _lose_ledger(world: World) -> None:
    for part in world.db.parent.glob(f"{world.db.name}*"):
        part.unlink(missing_ok=True)


def _truncate_ledger(world: World) -> None:
    with world.db.open("r+b") as file:
        file.truncate(1000)


def _again(world: World) -> None:
    first = world.asked[1].args
    assert isinstance(first, list)
    world.ask(*(str(word) for word in first[3:-2]))


FAULTS = (
    Fault("SIGKILL of the command", _kill_asker),
    Fault("SIGKILL of the recorder", lambda world: world.recorder.kill()),
    Fault(
        "SIGSTOP of the recorder",
        lambda world: world.recorder.send_signal(signal.SIGSTOP),
        heal=lambda world: world.recorder.send_signal(signal.SIGCONT),
    ),
    Fault("SIGKILL of the engine", World.kill_core, ends_engine=True),
    Fault("ledger deleted", _lose_ledger, loses_ledger=True),
    Fault("ledger truncated", _truncate_ledger, loses_ledger=True),
    Fault(
        "disk full",
        lambda world: fill_disk(world.disk),
        heal=lambda world: empty_disk(world.disk),
    ),
    Fault("clock an hour back", lambda world: world.clock.write_text("-3600"), steps_clock=True),
    Fault("clock a year ahead", lambda world: world.clock.write_text("31536000"), steps_clock=True),
    Fault("name taken", World.begin_twin),
    Fault("second operator", _again),
)
