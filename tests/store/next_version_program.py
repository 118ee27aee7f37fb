"""Run by a test with a `store` that has the columns of a version to come: records into each ledger.

Prints, for each, its version, its schema, and what windows over the new columns say.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import store.reading_columns
from store.ledger.connection import Ledger
from store.reading_columns import HISTOGRAMS, VALUE_COLUMNS, Reading
from store.records import RunInfo
from store.tables.engines import list_engines, upsert_engine
from store.tables.readings import append, last
from store.tables.runs import latest_run, open_run
from store.windows.window import read_window

assert Path(store.reading_columns.__file__).is_relative_to(os.environ["PYTHONPATH"])

INFO = RunInfo("http://h:1", "e")


def begin(ledger: Ledger) -> tuple[int, Reading]:
    """The recorded engine and its last reading; an empty reading in a new ledger."""
    for row in list_engines(ledger):
        if run := latest_run(ledger, row.id):
            found = last(ledger, run.id)
            assert found is not None
            return row.id, found
    engine_id = upsert_engine(ledger, INFO.url, INFO.name)
    run_id = open_run(ledger, engine_id, INFO, 1)
    empty = Reading(run_id, 60_000, dict.fromkeys(VALUE_COLUMNS), dict.fromkeys(HISTOGRAMS))
    append(ledger, empty)
    return engine_id, empty


def tell(ledger: Ledger) -> dict[str, object]:
    engine_id, before = begin(ledger)
    assert before.values["aborted_tokens"] is None
    for after_ms, tokens, most in ((100, 7, 9), (200, 12, 4), (120_000, 40, 2)):
        values = {**before.values, "aborted_tokens": tokens, "swapped_max": most}
        append(ledger, replace(before, ts_ms=before.ts_ms + after_ms, values=values))

    def window(from_ms: int, to_ms: int) -> tuple[int | None, int | None]:
        found = read_window(ledger, engine_id, before.ts_ms + from_ms, before.ts_ms + to_ms)
        assert found is not None
        return found.totals["aborted_tokens"], found.maxima["swapped_max"]

    execute = ledger.conn.execute
    return {
        "version": execute("PRAGMA user_version").fetchone()[0],
        "schema": execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall(),
        "windows": [window(0, 200), window(100, 200), window(100, 120_000)],
        "peak": execute("SELECT max(swapped_max) FROM peaks").fetchone()[0],
    }


def main() -> None:
    told = []
    for path in sys.argv[1:]:
        with Ledger.open(Path(path)) as ledger:
            told.append(tell(ledger))
    print(json.dumps(told))


main()
