"""How a ledger is recognised and how a reading is kept in it.

Tables are wide, typed and STRICT: one column per value, no blobs, so that any SQL client can ask.
Rows of readings are WITHOUT ROWID in time order, so a row at an instant is one descent of one
B-tree, and an append touches one page. `store.ledger.versions` makes them.

`readings` shows a cumulative reading. It is kept in two parts: `reading_bases` has the first one of
each minute whole, `reading_rows` what each has grown by since then. SQLite stores an integer in as
many bytes as it needs: growth within a minute takes one or two (none for 0 and 1) where the total
takes four to six. That is a quarter of the ledger's bytes.
"""

from __future__ import annotations

from store.reading_columns import MAXIMA, READING_COLUMNS

APPLICATION_ID = 0x5472_696D
"""SQLite's application_id of a ledger: "Trim" in ASCII."""

MINUTE_MS = 60_000
"""The time that one row of `reading_bases` and of `peaks` stands for."""

CUMULATIVE_COLUMNS: tuple[str, ...] = tuple(
    column for column in READING_COLUMNS if column not in ("run_id", "ts_ms", *MAXIMA)
)
"""The columns of a reading that are kept as a base and growth."""


def cumulative(column: str, row: str, base: str) -> str:
    """A column of a reading out of its two parts. What the base did not know counts from zero."""
    return f"({row}.{column} + ifnull({base}.{column}, 0))"
