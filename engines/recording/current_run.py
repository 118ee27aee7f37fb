"""The run of the ledger that the present life of an engine is."""

from __future__ import annotations

from engines.engine_info import EngineInfo
from store.clock import now_ms
from store.ledger.connection import Ledger
from store.tables.engines import find_engine, upsert_engine
from store.tables.runs import latest_run, open_run


def run_of(ledger: Ledger, engine: EngineInfo) -> int:
    """The run that this life of the engine is, opened if no recorder has seen it."""
    with ledger.transaction():
        known = find_engine(ledger, engine.url)
        engine_id = known.id if known else upsert_engine(ledger, engine.url, engine.name)
        latest = latest_run(ledger, engine_id)
        if latest is not None and latest.info.pid == engine.pid:
            return latest.id
        return open_run(ledger, engine_id, engine.run_info(), now_ms())
