-- Version 3: how long starts took. Frozen.

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
;

CREATE INDEX starts_by_model ON starts (model, ts_ms);
