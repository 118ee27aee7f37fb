"""What a stranger does, each beside what the same user may do to any program.

What is a flood burns CPU, which the kernel shares out: so the other half of the comparison is the
same number of processes that burn it on nothing, and the ratio is what trimtab adds.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.crossings.world import World
from tests.fakes.strangers import strangers

_PROGRAM = Path(__file__).with_name("nuisance.py")
TMP = Path("/tmp")
STRANGER = 64_000
"""Not `nobody`, whose engines tests of this host may look at: they are seen from outside."""

Beside = Callable[[World], AbstractContextManager[None]]


def _alone(_: World) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Attack:
    """`beside` is the attack, `otherwise` what it is compared with."""

    name: str
    beside: Beside
    otherwise: Beside = _alone


@contextlib.contextmanager
def _nuisance(times: int, kind: str, *words: object) -> Iterator[None]:
    """So many processes of another user's that do one kind of thing."""
    place = TMP / "nuisance"
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    shutil.copy(_PROGRAM, place)
    command = ["/usr/bin/python3", str(place / _PROGRAM.name), kind, *map(str, words)]
    begun = [
        subprocess.Popen(
            command,
            cwd="/",
            env={},
            stdout=subprocess.PIPE,
            user=STRANGER,
            group=STRANGER,
            process_group=0,
        )
        for _ in range(times)
    ]
    try:
        for process in begun:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", kind
        yield
    finally:
        for process in begun:
            process.kill()
            process.communicate()


def _look_alikes(count: int) -> Beside:
    return lambda world: strangers(world.home / "strangers", count, STRANGER)


def _spin(times: int) -> Beside:
    return lambda _: _nuisance(times, "spin")


def _knock(world: World) -> AbstractContextManager[None]:
    sockets = [path for path in TMP.glob("trimtab-*/*") if path.is_socket()]
    assert len(sockets) > 2, sockets  # a supervisor's, an EngineCore's and a front's
    return _nuisance(2, "knock", *sockets)


@contextlib.contextmanager
def _litter(_: World) -> Iterator[None]:
    try:
        with _nuisance(1, "litter", 100_000):
            yield
    finally:
        for path in TMP.glob("trimtab-*-nuisance"):
            path.unlink()
        shutil.rmtree(TMP / f"trimtab-{STRANGER}")


@contextlib.contextmanager
def _litter_beside_one(world: World) -> Iterator[None]:
    with _litter(world), strangers(world.home / "strangers", 1, STRANGER):
        yield


ATTACKS = (
    Attack("64 look-alikes", _look_alikes(64)),
    Attack("500 look-alikes", _look_alikes(500)),
    Attack("2 floods of our sockets", _knock, _spin(2)),
    Attack(
        "2 floods of the engine's address",
        lambda world: _nuisance(2, "call", world.port),
        _spin(2),
    ),
    Attack("5,000 connections held there", lambda world: _nuisance(1, "hold", world.port, 5_000)),
    Attack("40,000 listeners", lambda _: _nuisance(4, "listen", 10_000)),
    Attack("40,000 connections of their own", lambda _: _nuisance(4, "talk", 5_000)),
    Attack("2 x 100,000 files in /tmp", _litter_beside_one, _look_alikes(1)),
)
