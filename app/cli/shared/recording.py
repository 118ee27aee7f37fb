"""Recording inside a command: take the engines nobody else records, and record them for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.text.output import say
from store.clock import now_ms
from store.errors import NotAchieved

if TYPE_CHECKING:
    from engines.discovery.api_keys import ApiKeys
    from engines.engine_info import EngineInfo
    from engines.held_gpus import StatedGpus
    from engines.recording.recorder import Recorder
    from store.ledger.connection import Ledger

FIRST_READING_S = 15.0
"""How long the first reading may take before it is said that there is none."""


def recorded_by(ledger: Ledger, engine: EngineInfo) -> str | None:
    """Who records this engine into this ledger right now, or None."""
    from store.recorder_name import was_killed
    from store.tables.engines import find_engine
    from store.tables.recorders import live

    row = find_engine(ledger, engine.url)
    owner = None if row is None else live(ledger, row.id, now_ms())
    return None if owner is None or was_killed(owner) else owner


def free_engines(ledger: Ledger, engines: Sequence[EngineInfo]) -> list[EngineInfo]:
    """The engines that nobody records, saying who records the others."""
    free: list[EngineInfo] = []
    for engine in engines:
        owner = recorded_by(ledger, engine)
        if owner is None:
            free.append(engine)
        else:
            say(f"{engine.name}: recorded by {owner} already; its readings are in this ledger")
    return free


def record_for(
    db: Path,
    engines: Sequence[EngineInfo],
    seconds: float,
    *,
    every_s: float,
    keys: ApiKeys,
    stated: StatedGpus,
) -> tuple[int, int]:
    """Record for that long, or only wait where another recorder does; (from, to) in ms."""
    from engines.recording.recorder import Recorder
    from store.ledger.connection import Ledger

    with Ledger.open(db) as ledger:
        free = [engine for engine in engines if recorded_by(ledger, engine) is None]
    recorder = Recorder(db, free, every_s, keys, stated) if free else None
    from_ms = now_ms()
    if recorder is not None:
        recorder.start()
    try:
        _wait_for_first(db, engines, from_ms)
        from_ms = now_ms()
        time.sleep(seconds)
    finally:
        if recorder is not None:
            recorder.stop()
    return from_ms, now_ms()


@contextmanager
def recording(
    db: Path,
    engines: list[EngineInfo],
    *,
    named: bool,
    every_s: float,
    keys: ApiKeys,
    stated: StatedGpus,
) -> Iterator[Recorder]:
    """Record within the block; engines that another program records are left to it.

    Where their addresses were not `named`, engines that start later are recorded too.
    """
    from engines.recording.recorder import Recorder

    find = engines if named else these_then_found(engines)
    recorder = Recorder(db, find, every_s, keys, stated)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.stop()


def keys_for(api_key: str | None, addressed: Sequence[EngineInfo]) -> ApiKeys:
    """Whom the key may be told, where the addresses of these engines were given."""
    from engines.discovery.api_keys import ApiKeys

    return ApiKeys(api_key, tuple(engine.url for engine in addressed))


def these_then_found(engines: list[EngineInfo]) -> Callable[[], list[EngineInfo]]:
    """What finds engines for a recorder: the first time those known already, so that it begins at
    once; later those of our own user on this machine."""
    from engines.discovery.find import find_engines

    known = [engines]

    def find() -> list[EngineInfo]:
        return known.pop() if known else find_engines(only_own=True)

    return find


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask every tenth of a second, for at most `seconds`, whether it is done."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def last_reading_ms(ledger: Ledger, url: str) -> int | None:
    """When the engine at `url` was last read into the ledger; None for never."""
    from store.tables.engines import find_engine
    from store.tables.runs import latest_run

    row = find_engine(ledger, url)
    run = None if row is None else latest_run(ledger, row.id)
    return None if run is None else run.last_ms


def is_read(ledger: Ledger, url: str, since_ms: int) -> bool:
    """Whether the engine at `url` was read into the ledger at that time or later."""
    return (last_reading_ms(ledger, url) or 0) >= since_ms


def _wait_for_first(db: Path, engines: Sequence[EngineInfo], since_ms: int) -> None:
    from store.ledger.connection import Ledger
    from store.tables.engines import find_engine

    with Ledger.open(db, readonly=True) as ledger:
        for engine in engines:
            if wait_until(partial(is_read, ledger, engine.url, since_ms), FIRST_READING_S):
                continue
            row = find_engine(ledger, engine.url)
            raise NotAchieved(
                f"No reading of {engine.name} within {FIRST_READING_S:g} s",
                row.state_reason if row is not None else "",
            )
