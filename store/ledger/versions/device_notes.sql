-- How it is known that a run holds a device, and with whom it shares it. Frozen.

CREATE TABLE device_notes (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  device_uuid TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER,
  joined TEXT NOT NULL,
  shared TEXT NOT NULL,
  PRIMARY KEY (run_id, device_uuid, from_ms)
) STRICT, WITHOUT ROWID
;
