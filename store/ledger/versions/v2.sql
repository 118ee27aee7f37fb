-- Version 2: swaps and their evidence. Frozen.

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
;

CREATE INDEX swaps_by_engine ON swaps (engine_id, ts_ms);
