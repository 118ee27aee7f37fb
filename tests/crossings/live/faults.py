"""What happens in the midst of moving an engine, and what must follow."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.crossings.faults import fill, lose
from tests.crossings.live.host import Host
from tests.engine.conftest import MODEL
from tests.waiting import wait_until


def _nothing(_: Host) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """`strike` comes in the midst, `heal` once the command has ended. `cuts` allows that requests
    are cut; `loses_ledger` says that its rows cannot be asked for."""

    name: str
    strike: Callable[[Host], object] = _nothing
    heal: Callable[[Host], object] = _nothing
    cuts: bool = False
    loses_ledger: bool = False


def _signal(number: signal.Signals, *roles: str) -> Callable[[Host], None]:
    def strike(host: Host) -> None:
        for pid in [host.pid_of(role) for role in roles]:
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    return strike


def _kill_asked(at: int) -> Callable[[Host], None]:
    def strike(host: Host) -> None:
        os.killpg(host.asked[at].pid, signal.SIGKILL)

    return strike


def _stop_supervisor_for_a_while(host: Host) -> None:
    pid = host.pid_of("supervisor")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: host.asked[-1].poll() is not None, 12)
    except AssertionError:
        pass
    finally:
        os.kill(pid, signal.SIGCONT)


def _take_name(host: Host) -> None:
    code, said = host.run("serve", MODEL, "--name", host.name, "--detach")
    assert code != 0, said


def _second_operator(host: Host) -> None:
    code, said = host.run(*host.words)
    assert code != 0, said


def _adopt_again(host: Host) -> None:
    """Nobody starts an engine again whose keeper is gone: whoever sees that gives it another."""
    host.do("adopt", host.name, "--yes")


FAULTS = (
    Fault("none"),
    Fault("SIGKILL of the command", _kill_asked(-1)),
    Fault("SIGKILL of the recorder", _kill_asked(0)),
    Fault("SIGKILL of the supervisor", _signal(signal.SIGKILL, "supervisor")),
    Fault("SIGKILL of the keeper", _signal(signal.SIGKILL, "keeper")),
    Fault(
        "SIGKILL of keeper and supervisor",
        _signal(signal.SIGKILL, "keeper", "supervisor"),
        heal=_adopt_again,
        cuts=True,
    ),
    Fault("SIGKILL of the engine", _signal(signal.SIGKILL, "engine"), cuts=True),
    Fault("SIGKILL of the new engine", _signal(signal.SIGKILL, "new engine")),
    Fault("SIGSTOP of the supervisor", _stop_supervisor_for_a_while),
    Fault("ledger deleted", lambda host: lose(host.db), loses_ledger=True),
    Fault(
        "disk full",
        lambda host: fill(host.disk),
        heal=lambda host: (host.disk / "full").unlink(),
    ),
    Fault("clock an hour back", lambda host: host.clock.write_text("-3600")),
    Fault("clock a year ahead", lambda host: host.clock.write_text("31536000")),
    Fault("name taken", _take_name),
    Fault("second operator", _second_operator),
)
