"""The run of the ledger that the present life of an engine is."""

from __future__ import annotations

from dataclasses import replace

from engines.engine_info import EngineInfo
from engines.host import procfs
from engines.metrics_page import Sample
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


def run_info_of(engine: EngineInfo, sample: Sample) -> RunInfo:
    """What a run is begun with: the engine as it was found and what its first page tells."""
    started_ms = engine.started_ms
    if started_ms is None and sample.process_start_s is not None:
        started_ms = round(sample.process_start_s * 1_000)
    return replace(
        engine.run_info(),
        model=sample.model or engine.model,
        started_ms=started_ms,
        bounds=sample.bounds,
        cache_config=sample.cache_config,
    )


def lives(engine: EngineInfo) -> bool:
    """Whether the process that the engine was found as still runs."""
    process = procfs.read_process(engine.pid) if engine.pid is not None else None
    if process is None:
        return False
    now = replace(engine.run_info(), pid=process.pid, started_ms=process.started_ms)
    return is_same_life(now, engine.run_info())
