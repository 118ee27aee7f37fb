"""What must hold of a ledger whose recorders were killed, and how much each kill has cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from store.ledger.connection import Ledger
from store.tables.engines import find_engine
from store.windows.window import read_window
from tests.fakes.growing_engine import GrowingEngine, Page
from tests.kills.lives import Life

Row = tuple[int, dict[str, int]]
"""A reading's time and counters."""


@dataclass(frozen=True)
class Cost:
    """What became of one life, in ms: from its start to its first reading, how long of that it had
    to wait for a lease, and from its last reading to its kill (None without a reading); and the
    pages that it was given and did not store."""

    start_ms: int | None
    lease_ms: int
    lost_ms: int | None
    pages_lost: int


def check_whole(db: Path) -> None:
    """SQLite's own checks."""
    with closing(sqlite3.connect(db, timeout=60)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def check_engine(db: Path, engine: GrowingEngine, lives: Sequence[Life]) -> list[Cost]:
    """That the engine's rows are the pages it gave, each at most once, all of one run, and that
    each kill has lost at most the page that was just being stored; what each has cost."""
    with Ledger.open(db, readonly=True) as ledger:
        # Where every life was killed before it had stored a reading there is none.
        found = find_engine(ledger, engine.url)
        engine_id = 0 if found is None else found.id
        runs = ledger.conn.execute("SELECT id FROM runs WHERE engine_id = ?", (engine_id,))
        run_ids = [run_id for (run_id,) in runs]
        assert len(run_ids) <= 1, f"{len(run_ids)} runs"
        rows = _rows(ledger, run_ids[0]) if run_ids else []
        _check_rows(rows, engine.pages)
        _check_sums(ledger, engine_id, rows)
    return [_cost(life, rows, engine.pages) for life in lives]


def _check_sums(ledger: Ledger, engine_id: int, rows: Sequence[Row]) -> None:
    """That what a window tells is what the engine has counted between its two rows."""
    for (from_ms, before), (to_ms, after) in (
        *zip(rows[:1], rows[-1:], strict=True),
        *pairwise(rows),
    ):
        if from_ms == to_ms:
            continue  # there is but one row
        window = read_window(ledger, engine_id, from_ms, to_ms)
        assert window is not None
        for name, last in after.items():
            assert window.totals[name] == last - before[name], name


def _rows(ledger: Ledger, run_id: int) -> list[Row]:
    names = list(_COLUMNS)
    rows = ledger.conn.execute(
        f"SELECT ts_ms, {', '.join(names)} FROM readings WHERE run_id = ? ORDER BY ts_ms", (run_id,)
    )
    return [(at_ms, dict(zip(names, counters, strict=True))) for at_ms, *counters in rows]


_COLUMNS = ("prompt_tokens", "generation_tokens", "prefix_queries", "prefix_hits")


def _check_rows(rows: Sequence[Row], pages: Sequence[Page]) -> None:
    given = {page.counters["prompt_tokens"]: page.counters for page in pages}
    stored = [counters["prompt_tokens"] for _, counters in rows]
    assert len(set(stored)) == len(stored), "a page is there twice"
    assert stored == sorted(stored)
    for _, counters in rows:
        assert given[counters["prompt_tokens"]] == counters


def _cost(life: Life, rows: Sequence[Row], pages: Sequence[Page]) -> Cost:
    stored = {counters["prompt_tokens"]: at_ms for at_ms, counters in rows}
    given = [
        page.counters["prompt_tokens"]
        for page in pages
        if life.began_ms <= page.at_ms <= life.ended_ms
    ]
    kept = [tokens for tokens in given if tokens in stored]
    lost = [tokens for tokens in given if tokens not in stored]
    assert lost in ([], given[-1:]), f"{len(lost)} pages of one life were not stored"
    if not kept:
        return Cost(None, life.lease_ms, None, len(lost))
    first_ms, last_ms = stored[kept[0]], stored[kept[-1]]
    return Cost(
        first_ms - life.began_ms, life.lease_ms, max(0, life.killed_ms - last_ms), len(lost)
    )
