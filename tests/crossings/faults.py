"""What happens in the midst of an act."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engines.serving import registry
from engines.supervisor_client import client
from store.errors import BadInput, NotAchieved
from tests.crossings.acts import Act
from tests.crossings.world import World
from tests.waiting import wait_until

_DAY_S = 86_400


@dataclass(frozen=True)
class Fault:
    """`ends_engine`, `stalls_engine`, `ends_supervision` and `loses_ledger` say what can no longer
    be asked for afterwards, `steps_clock` that one life may be two runs; `heal` is
    what an operator does about it. `always`: it is tried with every change of the program, the
    others by `make crossings`."""

    name: str
    strike: Callable[[World], object]
    heal: Callable[[World], object] = lambda _: None
    ends_engine: bool = False
    stalls_engine: bool = False
    ends_supervision: bool = False
    loses_ledger: bool = False
    small_disk: bool = False
    steps_clock: bool = False
    always: bool = False
    fits: Callable[[Act], bool] = lambda _: True


def _send(number: signal.Signals, *who: str) -> Callable[[World], None]:
    def strike(world: World) -> None:
        for name in who:
            pid = getattr(world, name)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid() if callable(pid) else pid, number)

    return strike


def _kill_asker(world: World) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(world.asked[-1].pid, signal.SIGKILL)


def lose(db: Path) -> None:
    """Delete a ledger with its log."""
    for part in db.parent.glob(f"{db.name}*"):
        part.unlink(missing_ok=True)


def _truncate_ledger(world: World) -> None:
    with world.db.open("r+b") as file:
        file.truncate(1000)


def _begin_anew(world: World) -> None:
    """What a damaged ledger says is to be done: put it away."""
    world.recorder.kill()
    world.recorder.wait()
    lose(world.db)


def _again(world: World) -> None:
    first = world.asked[0].args
    assert isinstance(first, list)
    world.ask(*(str(word) for word in first[3:-2]))


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "full").open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


def _step_clock(seconds: int) -> Callable[[World], object]:
    return lambda world: (world.home / "clock").write_text(str(seconds))


def _take_name(world: World) -> None:
    """Somebody begins another engine of this name; it is let in only once the name is free."""
    with contextlib.suppress(NotAchieved, BadInput):
        world.serve()


def _pause_supervisor(world: World) -> None:
    """Until somebody who asked it got no answer."""
    _send(signal.SIGSTOP, "supervisor")(world)
    try:
        wait_until(lambda: client.status(world.name) is None)
    finally:
        _send(signal.SIGCONT, "supervisor")(world)


def _supervised(act: Act) -> bool:
    return not act.adopts


def _moves(act: Act) -> bool:
    return act.moves


_CONTINUE_RECORDER = _send(signal.SIGCONT, "recorder_pid")

FAULTS = (
    Fault("none", lambda _: None, always=True),
    Fault("SIGKILL of the command", _kill_asker),
    Fault("SIGKILL of the recorder", _send(signal.SIGKILL, "recorder_pid")),
    Fault("SIGSTOP of the recorder", _send(signal.SIGSTOP, "recorder_pid"), _CONTINUE_RECORDER),
    Fault("SIGKILL of the engine", _send(signal.SIGKILL, "engine"), ends_engine=True),
    Fault(
        "SIGSTOP of the engine",
        _send(signal.SIGSTOP, "engine"),
        _send(signal.SIGCONT, "engine"),
        stalls_engine=True,
        fits=_supervised,
    ),
    Fault("SIGKILL of the new engine", _send(signal.SIGKILL, "new_engine"), fits=_moves),
    Fault("SIGKILL of the supervisor", _send(signal.SIGKILL, "supervisor"), always=True),
    Fault("SIGKILL of the keeper", _send(signal.SIGKILL, "keeper")),
    Fault(
        "SIGKILL of keeper and supervisor",
        _send(signal.SIGKILL, "keeper", "supervisor"),
        ends_supervision=True,
        always=True,
    ),
    Fault("SIGSTOP of the supervisor, SIGCONT", _pause_supervisor),
    Fault("record of the engine gone", lambda world: registry.forget(world.name)),
    Fault("ledger deleted", lambda world: lose(world.db), loses_ledger=True),
    Fault("ledger truncated", _truncate_ledger, _begin_anew, loses_ledger=True),
    Fault(
        "disk full",
        lambda world: fill(world.disk),
        lambda world: (world.disk / "full").unlink(),
        small_disk=True,
    ),
    Fault("clock a day ahead", _step_clock(_DAY_S), steps_clock=True),
    Fault("clock a day back", _step_clock(-_DAY_S), steps_clock=True),
    Fault("name taken", _take_name),
    Fault("second operator", _again),
)


def disk_of(fault: Fault, directory: Path) -> contextlib.AbstractContextManager[None]:
    """A small disk of the cell's own where the fault fills it; needs root."""
    return small_disk(directory) if fault.small_disk else contextlib.nullcontext()


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """A directory that is a file system of its own; needs root."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "trimtab-crossing", directory], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
