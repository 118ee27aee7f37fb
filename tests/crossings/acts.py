"""What an operator does: each act says how it is prepared and begun, when a fault comes, and what
it may leave."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from store.records import KnobValue
from tests.crossings.world import KNOB, OVER_S, START, World, pause
from tests.supervisors import state_of
from tests.waiting import wait_until

LONGEST_S = 0.6
"""A command on live knobs takes about so long: the fault comes somewhere within."""


def _somewhere(_: World) -> None:
    moment_s = random.uniform(0, LONGEST_S)
    print(f"after {moment_s:.3f} s")
    pause(moment_s)


def _new_engine(world: World) -> None:
    wait_until(lambda: world.new_engine() is not None, OVER_S)


def _adopting(world: World) -> None:
    """The old engine is ended or about to be, and the new one has been started."""
    wait_until(lambda: world.new_engine() is not None)
    world.know_supervisor()


def _stopping(world: World) -> None:
    wait_until(lambda: state_of(world.name) in ("stopping", "stopped", None))


@dataclass(frozen=True)
class Act:
    """`command` is that of trimtab's, and `begin` gives its words.

    `values` are those that the knob may have once all is over: either it was done or it was not,
    and nothing in between. `midst` returns in the midst of it. `moves` says that it starts an
    engine in the place of another, `adopts` that the engine before it has no supervisor, `stops`
    that there is none afterwards, and `closes` that clients wait meanwhile in the queue of the
    address, which only those hold who do the act.
    """

    name: str
    command: str
    begin: Callable[[World], object]
    values: tuple[KnobValue, ...]
    prepare: Callable[[World], object] = lambda _: None
    midst: Callable[[World], object] = _somewhere
    moves: bool = False
    adopts: bool = False
    stops: bool = False
    closes: bool = False


def _set(*more: str) -> Callable[[World], object]:
    return lambda world: world.ask("set", f"{KNOB}=8", *more, "--engine", world.url)


def _swap(strategy: str) -> Callable[[World], object]:
    return lambda world: world.ask(
        "swap",
        f"{KNOB}={2 * START}",
        "--strategy",
        strategy,
        "--drain",
        "5s",
        "--engine",
        world.url,
    )


ACTS = (
    Act("set", "set", _set(), (START, 8)),
    # It runs out within the cell: afterwards the start value is in force whatever happened.
    Act("lease", "set", _set("--lease", "1s"), (START,)),
    Act(
        "undo",
        "undo",
        lambda world: world.ask("undo", "--engine", world.url),
        (START, 12),
        prepare=lambda world: world.do("set", f"{KNOB}=12", "--engine", world.url),
    ),
    Act("record", "record", lambda world: world.ask("record", world.url, "--for", "2s"), (START,)),
    Act(
        "swap overlap",
        "swap",
        _swap("overlap"),
        (START, 2 * START),
        midst=_new_engine,
        moves=True,
    ),
    Act(
        "swap stop-start",
        "swap",
        _swap("stop-start"),
        (START, 2 * START),
        midst=_new_engine,
        moves=True,
        closes=True,
    ),
    Act(
        "adopt",
        "adopt",
        lambda world: world.ask(
            "adopt", world.url, "--yes", "--name", world.name, "--drain", "5s", "--json"
        ),
        (START,),
        midst=_adopting,
        moves=True,
        adopts=True,
        closes=True,
    ),
    Act(
        "stop",
        "stop",
        lambda world: world.ask("stop", world.name, "--drain", "5s", "--json"),
        (),
        midst=_stopping,
        stops=True,
    ),
)

WITHOUT_ROW = {
    "demo": "it is serve, record and traffic",
    "serve": "nothing serves before it; every cell begins and ends with it",
    "traffic": "it sends requests, as the clients of every cell do",
    "provision": "it makes files, and knows no engine",
    "snapshot": "it writes one row in one transaction",
    **dict.fromkeys(
        ("engines", "show", "knobs", "variants", "snapshots", "compare", "export", "doctor"),
        "it reads",
    ),
}
"""Commands that are no row, and why."""
