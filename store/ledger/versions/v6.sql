-- Version 6: what of a run's pages is not believed, and why. Frozen.

CREATE TABLE doubts (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  what TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER,
  reason TEXT NOT NULL,
  PRIMARY KEY (run_id, what, from_ms)
) STRICT, WITHOUT ROWID
;
