"""What must hold after every cell."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from engines.serving import registry
from engines.serving.name_lock import is_held
from engines.supervisor_client import client
from store.ledger.connection import Ledger
from store.records import VARIANT
from store.reports.outcomes import DONE, RUNNING
from tests.crossings.acts import Act
from tests.crossings.faults import Fault
from tests.crossings.promises import promise
from tests.crossings.world import KNOB, OVER_S, START, World, serves
from tests.supervisors import is_at_rest
from tests.waiting import wait_until


def check(world: World, act: Act, fault: Fault) -> None:
    """The engine is as the act or as its absence left it, the ledger tells the truth, nobody else
    was touched, nothing stands in the way of what comes next, and nothing is left of it."""
    promised = promise(act, fault)
    wait_until(lambda: is_settled(world))
    if not act.stops:
        _put_under_supervision(world)
        wait_until(lambda: world.value() in _values(act, fault))
        seen = world.seen
        if promised.all_answered:
            whole = seen.whole
            wait_until(lambda: seen.whole > whole + 2)
            assert seen.refused == []
            assert seen.unanswered == []
    if promised.none_cut:
        assert world.seen.cut == []
    if promised.ledger_true:
        _ledger_is_true(world, act, fault)
    if not act.stops:
        _next_acts(world, act)
    _stop(world)
    assert world.bystander.poll() is None, "somebody else's process was ended"
    wait_until(lambda: world.left() == [])
    assert registry.recorded(world.name) is None
    assert not list((world.disk / "data" / "serving").iterdir())


def is_settled(world: World) -> bool:
    """Whether nobody is at work on the engine any more."""
    status = client.status(world.name)
    if status is None:
        return not is_held(world.name)
    return is_at_rest(status)


def _values(act: Act, fault: Fault) -> tuple[object, ...]:
    return (*act.values, START) if fault.ends_engine else act.values


def _put_under_supervision(world: World) -> None:
    """What an operator does where no supervisor is left: adopt what serves, else serve anew."""
    if client.status(world.name) is not None:
        return
    if serves(world.url):
        world.do("adopt", world.url, "--yes", "--name", world.name, "--json")
    else:
        world.ask("stop", world.name).communicate(timeout=OVER_S)
        wait_until(lambda: world.left() == [])
        world.serve()
    wait_until(lambda: is_settled(world))


def _next_acts(world: World, act: Act) -> None:
    """Another change, and where an engine was moved another swap."""
    world.do("set", f"{KNOB}=4", "--engine", world.url)
    assert world.value() == 4
    if not act.moves:
        return
    serving = registry.find_serving(world.name)
    assert serving is not None
    words = Path(f"/proc/{serving.pid}/cmdline").read_text().split("\0")
    most = int(words[words.index("--max-num-seqs") + 1])
    world.do("swap", f"{KNOB}={2 * most}", "--engine", world.url, "--strategy", "overlap")


def _stop(world: World) -> None:
    """Until nothing of this name runs; a stop that did not hold is asked for again."""
    while is_held(world.name) or registry.find_serving(world.name) is not None:
        world.ask("stop", world.name, "--drain", "5s").communicate(timeout=OVER_S)


def _ledger_is_true(world: World, act: Act, fault: Fault) -> None:
    with sqlite3.connect(f"file:{world.db}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = [row[0] for row in connection.execute("SELECT id FROM changes")]
    assert len(ids) == len(set(ids))
    if act.moves:
        wait_until(lambda: _swaps_are_told(world))
    elif not (fault.ends_engine or fault.steps_clock):
        assert _read(world, "SELECT count(*) FROM runs")[0] == 1, "one life is one run"
    recorded = world.recorder.poll() is None and not act.moves and not act.stops
    if recorded and not fault.ends_engine and _last_told(world) is not None:
        # Whoever records copies the engine's own journal: what it tells last is what is in force.
        wait_until(lambda: _last_told(world) == world.value())


def _swaps_are_told(world: World) -> bool:
    """Every swap has come to an end, and is a change where it was done."""
    running, done = _read(
        world,
        f"SELECT count(*) FILTER (WHERE outcome = '{RUNNING}'),"
        f" count(*) FILTER (WHERE outcome = '{DONE}') FROM swaps",
    )
    (changes,) = _read(world, f"SELECT count(*) FROM changes WHERE knob = '{VARIANT}'")
    return (running, changes) == (0, done)


def _last_told(world: World) -> int | None:
    with Ledger.open(world.db, readonly=True) as ledger:
        row = ledger.conn.execute(
            "SELECT to_value FROM changes WHERE knob = ? AND outcome = 'applied' "
            "ORDER BY rowid DESC LIMIT 1",
            (KNOB,),
        ).fetchone()
    return None if row is None else int(row[0])


def _read(world: World, query: str) -> tuple[int, ...]:
    with Ledger.open(world.db, readonly=True) as ledger:
        return tuple(ledger.conn.execute(query).fetchone())
