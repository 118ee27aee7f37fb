"""The tables of a ledger, written as DDL, and the numbers by which a ledger is recognised.

Tables are wide, typed and STRICT: one column per value, no blobs, so that any SQL client can ask.
Rows of readings are WITHOUT ROWID in time order, so a row at an instant is one descent of one
B-tree, and an append touches one page.

`readings` shows a cumulative reading. It is kept in two parts: `reading_bases` has the first one of
each minute whole, `reading_rows` what each has grown by since then. SQLite stores an integer in as
many bytes as it needs: growth within a minute takes one or two (none for 0 and 1) where the total
takes four to six. That is a quarter of the ledger's bytes.

`peaks` and `device_peaks` hold the highest gauge value of each minute, kept by triggers. They make
the maximum over a day 1,440 small rows instead of 86,400 wide ones. A peak may outlive the rows it
came from: thinning folds a dropped row's maximum forward into the next row kept, so a minute that
lies wholly inside a window still belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from store.reading import MAXIMA, READING_COLUMNS

APPLICATION_ID = 0x5472_696D
"""SQLite's application_id of a ledger: "Trim" in ASCII."""

SCHEMA_VERSION = 3
"""SQLite's user_version of a ledger this program writes."""

MINUTE_MS = 60_000
"""The time that one row of `reading_bases` and of `peaks` stands for."""

CUMULATIVE_COLUMNS: tuple[str, ...] = tuple(
    column for column in READING_COLUMNS if column not in ("run_id", "ts_ms", *MAXIMA)
)
"""The columns of a reading that are kept as a base and growth."""


def _integers(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} INTEGER" for column in columns)


def cumulative(column: str, row: str, base: str) -> str:
    """A column of a reading out of its two parts. What the base did not know counts from zero."""
    return f"({row}.{column} + ifnull({base}.{column}, 0))"


def _grow(table: str, key: str, columns: tuple[str, ...]) -> str:
    """Body of a trigger that raises the minute's peaks to the new row's; else it writes nothing."""
    names = ", ".join(columns)
    new = ", ".join(f"new.{column}" for column in columns)
    keys = ", ".join(f"new.{column}" for column in key.split(", "))
    highest = ", ".join(
        f"{column} = max(ifnull({column}, excluded.{column}), ifnull(excluded.{column}, {column}))"
        for column in columns
    )
    grows = " OR ".join(
        f"excluded.{column} > {column} OR ({column} IS NULL AND excluded.{column} IS NOT NULL)"
        for column in columns
    )
    return (
        f"INSERT INTO {table} ({key}, minute, {names}) "
        f"VALUES ({keys}, new.ts_ms / {MINUTE_MS}, {new}) "
        f"ON CONFLICT ({key}, minute) DO UPDATE SET {highest} WHERE {grows};"
    )


def _peak_triggers(source: str, table: str, key: str, columns: tuple[str, ...]) -> tuple[str, str]:
    """The two triggers that keep `table` as the per-minute maximum of `source`."""
    body = _grow(table, key, columns)
    return (
        f"CREATE TRIGGER {source}_inserted AFTER INSERT ON {source} BEGIN {body} END",
        f"CREATE TRIGGER {source}_updated AFTER UPDATE OF {', '.join(columns)} ON {source} "
        f"BEGIN {body} END",
    )


_ENGINES = """
CREATE TABLE engines (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'unreadable', 'gone')),
  state_reason TEXT NOT NULL DEFAULT '',
  state_ms INTEGER
) STRICT
"""

_RUNS = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  first_seen_ms INTEGER NOT NULL,
  thinned_ms INTEGER NOT NULL DEFAULT 0,
  model TEXT,
  pid INTEGER,
  started_ms INTEGER,
  vllm_version TEXT,
  control TEXT NOT NULL CHECK (control IN ('live', 'swap', 'observe')),
  reason TEXT NOT NULL DEFAULT '',
  arguments TEXT NOT NULL CHECK (json_valid(arguments)),
  bounds TEXT NOT NULL CHECK (json_valid(bounds)),
  cache_config TEXT NOT NULL CHECK (json_valid(cache_config))
) STRICT
"""

_READING_BASES = f"""
CREATE TABLE reading_bases (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  minute INTEGER NOT NULL,
  {_integers(CUMULATIVE_COLUMNS)},
  PRIMARY KEY (run_id, minute)
) STRICT, WITHOUT ROWID
"""

_READING_ROWS = f"""
CREATE TABLE reading_rows (
  run_id INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  {_integers(READING_COLUMNS[2:])},
  PRIMARY KEY (run_id, ts_ms),
  FOREIGN KEY (run_id) REFERENCES runs (id)
) STRICT, WITHOUT ROWID
"""

_READINGS = f"""
CREATE VIEW readings AS
SELECT grown.run_id AS run_id, grown.ts_ms AS ts_ms, {
    ", ".join(
        f"grown.{column} AS {column}"
        if column in MAXIMA
        else f"{cumulative(column, 'grown', 'base')} AS {column}"
        for column in READING_COLUMNS[2:]
    )
}
FROM reading_rows AS grown
CROSS JOIN reading_bases AS base
  ON base.run_id = grown.run_id AND base.minute = grown.ts_ms / {MINUTE_MS}
"""

_PEAKS = f"""
CREATE TABLE peaks (
  run_id INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  {_integers(MAXIMA)},
  PRIMARY KEY (run_id, minute)
) STRICT, WITHOUT ROWID
"""

_DEVICES = """
CREATE TABLE devices (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('gpu', 'host')),
  uuid TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (kind, uuid)
) STRICT
"""

_RUN_DEVICES = """
CREATE TABLE run_devices (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  device_id INTEGER NOT NULL REFERENCES devices (id),
  first_ms INTEGER NOT NULL,
  PRIMARY KEY (run_id, device_id)
) STRICT, WITHOUT ROWID
"""

_DEVICE_READINGS = """
CREATE TABLE device_readings (
  run_id INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  device_id INTEGER NOT NULL,
  held_ms INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL,
  busy_us INTEGER,
  memory_mib_ms INTEGER,
  memory_max_mib INTEGER,
  energy_mj INTEGER,
  PRIMARY KEY (run_id, ts_ms, device_id),
  FOREIGN KEY (run_id, device_id) REFERENCES run_devices (run_id, device_id)
) STRICT, WITHOUT ROWID
"""

_DEVICE_PEAKS = """
CREATE TABLE device_peaks (
  run_id INTEGER NOT NULL,
  device_id INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  memory_max_mib INTEGER,
  PRIMARY KEY (run_id, device_id, minute)
) STRICT, WITHOUT ROWID
"""

_KNOBS = """
CREATE TABLE knobs (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  name TEXT NOT NULL,
  ts_ms INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('live', 'swap')),
  value TEXT NOT NULL CHECK (json_valid(value)),
  start TEXT NOT NULL CHECK (json_valid(start)),
  minimum INTEGER,
  maximum INTEGER,
  reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (run_id, name, ts_ms)
) STRICT, WITHOUT ROWID
"""

_CHANGES = """
CREATE TABLE changes (
  id TEXT PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  ts_ms INTEGER NOT NULL,
  knob TEXT NOT NULL,
  from_value TEXT NOT NULL CHECK (json_valid(from_value)),
  to_value TEXT NOT NULL CHECK (json_valid(to_value)),
  outcome TEXT NOT NULL CHECK (outcome IN ('applied', 'refused', 'put back', 'failed')),
  cause TEXT NOT NULL CHECK (cause IN ('set', 'undo', 'lease', 'found')),
  who TEXT NOT NULL,
  why TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  took_ms REAL,
  lease_s REAL,
  undoes TEXT,
  per_engine TEXT NOT NULL CHECK (json_valid(per_engine))
) STRICT
"""

_EVENTS = """
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  ts_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT
"""

_RECORDERS = """
CREATE TABLE recorders (
  engine_id INTEGER PRIMARY KEY REFERENCES engines (id),
  owner TEXT NOT NULL,
  beat_ms INTEGER NOT NULL
) STRICT
"""

_SNAPSHOTS = """
CREATE TABLE snapshots (
  name TEXT PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  made_ms INTEGER NOT NULL,
  configuration TEXT NOT NULL CHECK (json_valid(configuration)),
  note TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID
"""

TABLES: tuple[str, ...] = (
    _ENGINES,
    _RUNS,
    "CREATE INDEX runs_by_engine ON runs (engine_id)",
    _READING_BASES,
    _READING_ROWS,
    _READINGS,
    _PEAKS,
    *_peak_triggers("reading_rows", "peaks", "run_id", MAXIMA),
    _DEVICES,
    _RUN_DEVICES,
    _DEVICE_READINGS,
    _DEVICE_PEAKS,
    *_peak_triggers("device_readings", "device_peaks", "run_id, device_id", ("memory_max_mib",)),
    _KNOBS,
    _CHANGES,
    "CREATE INDEX changes_by_run ON changes (run_id, ts_ms)",
    _EVENTS,
    "CREATE INDEX events_by_engine ON events (engine_id, ts_ms)",
    _RECORDERS,
    _SNAPSHOTS,
)
"""The statements that make an empty ledger, in order."""

SWAPS: tuple[str, ...] = (
    """
CREATE TABLE swaps (
  id TEXT PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  ts_ms INTEGER NOT NULL,
  variant TEXT NOT NULL,
  strategy TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  who TEXT NOT NULL DEFAULT '',
  why TEXT NOT NULL DEFAULT '',
  took_s REAL,
  waited_s REAL,
  evidence TEXT NOT NULL CHECK (json_valid(evidence))
) STRICT, WITHOUT ROWID
""",
    "CREATE INDEX swaps_by_engine ON swaps (engine_id, ts_ms)",
)
"""What version 2 adds."""

STARTS: tuple[str, ...] = (
    """
CREATE TABLE starts (
  id INTEGER PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  ts_ms INTEGER NOT NULL,
  model TEXT NOT NULL,
  command TEXT NOT NULL,
  beside INTEGER NOT NULL CHECK (beside IN (0, 1)),
  took_s REAL NOT NULL,
  phases TEXT NOT NULL CHECK (json_valid(phases))
) STRICT
""",
    "CREATE INDEX starts_by_model ON starts (model, ts_ms)",
)
"""What version 3 adds."""
