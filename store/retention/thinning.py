"""Thinning: old rows go, what any remaining window says stays.

Readings are cumulative, so dropping a row changes no difference of the rows that stay; a dropped
row's maxima are folded into the next row kept. Rows at which somebody may look again stay.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from store.ledger.connection import Ledger
from store.ledger.schema import MINUTE_MS
from store.reading_columns import MAXIMA
from store.retention.cards import thin_cards
from store.retention.devices import drop_device_rows
from store.windows.sums import fold

KEEP_ALL_MS = 7 * 24 * 3600 * 1000
"""Nothing younger than this is thinned by default."""

KEEP_EVERY_MS = 60_000
"""What is older is kept once in so long by default."""

SNAPSHOT_STEP_MS = 10_000
"""Rows kept inside a snapshot: as far apart as the blocks that a comparison's intervals need."""

CHUNK_ROWS = 5_000
"""Rows looked at in one transaction, so that the recorder never waits long for its turn."""

VACUUM_PAGES = 1_000
"""Pages given back to the disk after a chunk."""

_Row = tuple[Any, ...]


def tidy(ledger: Ledger, now_ms: int) -> bool:
    """Thin one chunk of what is older than `KEEP_ALL_MS`; True if there is more to do.

    Made to be submitted to the writer now and then by whoever records: it goes on where the last
    call, of any process, ended, and costs nothing when there is nothing to do.
    """
    until_ms = (now_ms - KEEP_ALL_MS) // KEEP_EVERY_MS * KEEP_EVERY_MS
    with ledger.transaction():
        row = ledger.conn.execute(
            "SELECT id, thinned_ms FROM runs WHERE EXISTS (SELECT 1 FROM reading_rows "
            "WHERE run_id = runs.id AND ts_ms > thinned_ms AND ts_ms <= ?) ORDER BY id LIMIT 1",
            (until_ms,),
        ).fetchone()
        if row is None:
            return thin_cards(ledger, until_ms)
        run_id, thinned_ms = row
        next_ms = thin_chunk(ledger, run_id, until_ms + 1, KEEP_EVERY_MS, thinned_ms)
        reached_ms = until_ms if next_ms is None else next_ms
        ledger.conn.execute("UPDATE runs SET thinned_ms = ? WHERE id = ?", (reached_ms, run_id))
    return True


def thin_chunk(
    ledger: Ledger, run_id: int, older_than_ms: int, keep_every_ms: int, at_ms: int
) -> int | None:
    """Thin one chunk of the run's rows before the instant `older_than_ms`, from the row at or
    before `at_ms` on; returns where to go on, None when the run is thinned.

    Of each `keep_every_ms` the last row stays. So do the run's first and last rows, those on both
    sides of a change or of a snapshot's ends, and one each `SNAPSHOT_STEP_MS` within a snapshot.
    A chunk is a transaction of its own, unless the caller is in one.
    """
    with ledger.transaction():
        rows = _rows(ledger, run_id, at_ms)
        old = bisect_left(rows, older_than_ms, hi=max(len(rows) - 1, 0), key=itemgetter(0))
        if old == 0:
            return None
        is_last = old < CHUNK_ROWS
        kept = _kept(ledger, run_id, [row[0] for row in rows], keep_every_ms)
        if not is_last:  # end at a row that stays anyway, so that where chunks end leaves no trace
            old = max((index for index in kept if 0 < index < old), default=old - 1)
        kept.add(old)
        _drop_rows(ledger, run_id, rows[: old + 1], kept)
        drop_device_rows(ledger, run_id, [row[0] for row in rows[: old + 1]], kept)
        _give_back(ledger)
    return None if is_last else rows[old][0]


def _give_back(ledger: Ledger) -> None:
    """Return free pages to the disk, one a statement: Python's sqlite3 steps this pragma once."""
    free = ledger.conn.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(free, VACUUM_PAGES)):
        ledger.conn.execute("PRAGMA incremental_vacuum(1)")


def _rows(ledger: Ledger, run_id: int, at_ms: int) -> list[_Row]:
    """Times and maxima of a chunk's rows, and of the one after it."""
    return ledger.conn.execute(
        f"SELECT ts_ms, {', '.join(MAXIMA)} FROM reading_rows "
        "WHERE run_id = ? AND ts_ms >= ifnull("
        "(SELECT max(ts_ms) FROM reading_rows WHERE run_id = ? AND ts_ms <= ?), 0) "
        "ORDER BY ts_ms LIMIT ?",
        (run_id, run_id, at_ms, CHUNK_ROWS + 1),
    ).fetchall()


def _kept(ledger: Ledger, run_id: int, times: Sequence[int], keep_every_ms: int) -> set[int]:
    """Indexes of the times whose rows stay. A row on a boundary is the last before it."""
    windows = _snapshots(ledger, run_id)
    steps = [keep_every_ms] * len(times)
    for start_ms, end_ms in windows:
        for index in range(bisect_left(times, start_ms), bisect_right(times, end_ms)):
            steps[index] = min(keep_every_ms, SNAPSHOT_STEP_MS)
    kept = {0, len(times) - 1}
    for index, (before, after) in enumerate(pairwise(times)):
        if (before - 1) // steps[index] != (after - 1) // steps[index]:
            kept.add(index)
    for mark in (*(mark for window in windows for mark in window), *_changes(ledger, run_id)):
        after = bisect_right(times, mark)
        if 0 < after < len(times):
            kept.update((after - 1, after))
    return kept


def _drop_rows(ledger: Ledger, run_id: int, rows: Sequence[_Row], kept: set[int]) -> None:
    """Drop the rows not kept, folding their maxima forward. The first and the last are kept."""
    highest: list[int | None] = [None] * len(MAXIMA)
    dropped_rows = []
    raised_rows = []
    for index, (ts_ms, *maxima) in enumerate(rows):
        highest = [fold(before, maximum) for before, maximum in zip(highest, maxima, strict=True)]
        if index not in kept:
            dropped_rows.append((run_id, ts_ms))
            continue
        if highest != maxima:
            raised_rows.append((*highest, run_id, ts_ms))
        highest = [None] * len(MAXIMA)
    assignments = ", ".join(f"{column} = ?" for column in MAXIMA)
    ledger.conn.executemany("DELETE FROM reading_rows WHERE run_id = ? AND ts_ms = ?", dropped_rows)
    ledger.conn.executemany(
        f"UPDATE reading_rows SET {assignments} WHERE run_id = ? AND ts_ms = ?", raised_rows
    )
    if dropped_rows:
        ledger.conn.execute(
            "DELETE FROM reading_bases WHERE run_id = :run AND minute BETWEEN :first AND :last "
            "AND NOT EXISTS (SELECT 1 FROM reading_rows WHERE run_id = :run "
            "AND ts_ms BETWEEN minute * :length AND (minute + 1) * :length - 1)",
            {
                "run": run_id,
                "first": dropped_rows[0][1] // MINUTE_MS,
                "last": dropped_rows[-1][1] // MINUTE_MS,
                "length": MINUTE_MS,
            },
        )


def _snapshots(ledger: Ledger, run_id: int) -> list[tuple[int, int]]:
    rows = ledger.conn.execute(
        "SELECT from_ms, to_ms FROM snapshots "
        "WHERE engine_id = (SELECT engine_id FROM runs WHERE id = ?)",
        (run_id,),
    )
    return rows.fetchall()


def _changes(ledger: Ledger, run_id: int) -> list[int]:
    rows = ledger.conn.execute("SELECT ts_ms FROM changes WHERE run_id = ?", (run_id,))
    return [row[0] for row in rows]
