"""The run of the ledger that the present life of an engine is."""

from __future__ import annotations

from engines.recording.judging.lives import is_same_life
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.records import RunInfo
from store.tables.engines import find_engine, upsert_engine
from store.tables.runs import latest_run, open_run


def run_of(ledger: Ledger, life: RunInfo) -> int:
    """The run that this life of the engine is, opened if no recorder has seen it."""
    with ledger.transaction():
        engine = find_engine(ledger, life.url)
        engine_id = engine.id if engine else upsert_engine(ledger, life.url, life.name)
        latest = latest_run(ledger, engine_id)
        if latest is not None and is_same_life(latest.info, life):
            return latest.id
        return open_run(ledger, engine_id, life, now_ms())
