"""Recorders of several engines, killed side by side."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from store.ledger.connection import Ledger
from tests.fakes.growing_engine import GrowingEngine
from tests.kills.lives import Life, live_and_die
from tests.kills.verdict import Cost, check_engine, check_whole

ENGINES = 5
"""Recorded into one ledger side by side: each new recorder waits for the lease of the one before,
five seconds from its last sign of life."""


def kill(count: int, seed: int, db: Path, engines: int = ENGINES) -> list[Cost]:
    """Kill so many recorders; what each kill has cost. Fails where the ledger is not what it must
    be."""
    with ExitStack() as stack:
        growing = [stack.enter_context(GrowingEngine().running()) for _ in range(engines)]

        def lead(number: int) -> list[Life]:
            chance = random.Random(f"{seed} {number}")
            lives = []
            for _ in range(count // engines + (number < count % engines)):
                lives.append(live_and_die(growing[number], db, chance))
                check_whole(db) if db.exists() else None
            return lives

        with ThreadPoolExecutor(engines) as threads:
            lives_of_all = list(threads.map(lead, range(engines)))
        Ledger.open(db).close()  # the last may have been killed before it had made one
        check_whole(db)
        return [
            cost
            for engine, lives in zip(growing, lives_of_all, strict=True)
            for cost in check_engine(db, engine, lives)
        ]
