-- Version 1: engines, runs, readings and what a person does.
--
-- Frozen, as is every version once it is released: ledgers have these very tables, and SQLite keeps
-- their text, to the line break before a semicolon. What changes comes as a step of its own.

CREATE TABLE engines (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'unreadable', 'gone')),
  state_reason TEXT NOT NULL DEFAULT '',
  state_ms INTEGER
) STRICT
;

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
;

CREATE TABLE reading_bases (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  minute INTEGER NOT NULL,
  prompt_tokens INTEGER, cached_prompt_tokens INTEGER, generation_tokens INTEGER, prefix_queries INTEGER, prefix_hits INTEGER, preemptions INTEGER, requests_stop INTEGER, requests_length INTEGER, requests_abort INTEGER, requests_error INTEGER, requests_other INTEGER, admission_rejections INTEGER, http_5xx INTEGER, prefill_us INTEGER, prefill_count INTEGER, decode_us INTEGER, decode_count INTEGER, request_prompt_tokens INTEGER, request_generation_tokens INTEGER, iteration_tokens INTEGER, iterations INTEGER, watched_ms INTEGER, active_ms INTEGER, running_ms INTEGER, waiting_ms INTEGER, kv_usage_us INTEGER, ttft_count INTEGER, ttft_sum_us INTEGER, ttft_b00 INTEGER, ttft_b01 INTEGER, ttft_b02 INTEGER, ttft_b03 INTEGER, ttft_b04 INTEGER, ttft_b05 INTEGER, ttft_b06 INTEGER, ttft_b07 INTEGER, ttft_b08 INTEGER, ttft_b09 INTEGER, ttft_b10 INTEGER, ttft_b11 INTEGER, ttft_b12 INTEGER, ttft_b13 INTEGER, ttft_b14 INTEGER, ttft_b15 INTEGER, ttft_b16 INTEGER, ttft_b17 INTEGER, ttft_b18 INTEGER, ttft_b19 INTEGER, ttft_b20 INTEGER, ttft_b21 INTEGER, ttft_b22 INTEGER, ttft_b23 INTEGER, itl_count INTEGER, itl_sum_us INTEGER, itl_b00 INTEGER, itl_b01 INTEGER, itl_b02 INTEGER, itl_b03 INTEGER, itl_b04 INTEGER, itl_b05 INTEGER, itl_b06 INTEGER, itl_b07 INTEGER, itl_b08 INTEGER, itl_b09 INTEGER, itl_b10 INTEGER, itl_b11 INTEGER, itl_b12 INTEGER, itl_b13 INTEGER, itl_b14 INTEGER, itl_b15 INTEGER, itl_b16 INTEGER, itl_b17 INTEGER, itl_b18 INTEGER, itl_b19 INTEGER, itl_b20 INTEGER, itl_b21 INTEGER, itl_b22 INTEGER, itl_b23 INTEGER, e2e_count INTEGER, e2e_sum_us INTEGER, e2e_b00 INTEGER, e2e_b01 INTEGER, e2e_b02 INTEGER, e2e_b03 INTEGER, e2e_b04 INTEGER, e2e_b05 INTEGER, e2e_b06 INTEGER, e2e_b07 INTEGER, e2e_b08 INTEGER, e2e_b09 INTEGER, e2e_b10 INTEGER, e2e_b11 INTEGER, e2e_b12 INTEGER, e2e_b13 INTEGER, e2e_b14 INTEGER, e2e_b15 INTEGER, e2e_b16 INTEGER, e2e_b17 INTEGER, e2e_b18 INTEGER, e2e_b19 INTEGER, e2e_b20 INTEGER, e2e_b21 INTEGER, e2e_b22 INTEGER, e2e_b23 INTEGER, queue_count INTEGER, queue_sum_us INTEGER, queue_b00 INTEGER, queue_b01 INTEGER, queue_b02 INTEGER, queue_b03 INTEGER, queue_b04 INTEGER, queue_b05 INTEGER, queue_b06 INTEGER, queue_b07 INTEGER, queue_b08 INTEGER, queue_b09 INTEGER, queue_b10 INTEGER, queue_b11 INTEGER, queue_b12 INTEGER, queue_b13 INTEGER, queue_b14 INTEGER, queue_b15 INTEGER, queue_b16 INTEGER, queue_b17 INTEGER, queue_b18 INTEGER, queue_b19 INTEGER, queue_b20 INTEGER, queue_b21 INTEGER, queue_b22 INTEGER, queue_b23 INTEGER,
  PRIMARY KEY (run_id, minute)
) STRICT, WITHOUT ROWID
;

CREATE TABLE reading_rows (
  run_id INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  prompt_tokens INTEGER, cached_prompt_tokens INTEGER, generation_tokens INTEGER, prefix_queries INTEGER, prefix_hits INTEGER, preemptions INTEGER, requests_stop INTEGER, requests_length INTEGER, requests_abort INTEGER, requests_error INTEGER, requests_other INTEGER, admission_rejections INTEGER, http_5xx INTEGER, prefill_us INTEGER, prefill_count INTEGER, decode_us INTEGER, decode_count INTEGER, request_prompt_tokens INTEGER, request_generation_tokens INTEGER, iteration_tokens INTEGER, iterations INTEGER, watched_ms INTEGER, active_ms INTEGER, running_ms INTEGER, waiting_ms INTEGER, kv_usage_us INTEGER, running_max INTEGER, waiting_max INTEGER, kv_usage_max_ppm INTEGER, ttft_count INTEGER, ttft_sum_us INTEGER, ttft_b00 INTEGER, ttft_b01 INTEGER, ttft_b02 INTEGER, ttft_b03 INTEGER, ttft_b04 INTEGER, ttft_b05 INTEGER, ttft_b06 INTEGER, ttft_b07 INTEGER, ttft_b08 INTEGER, ttft_b09 INTEGER, ttft_b10 INTEGER, ttft_b11 INTEGER, ttft_b12 INTEGER, ttft_b13 INTEGER, ttft_b14 INTEGER, ttft_b15 INTEGER, ttft_b16 INTEGER, ttft_b17 INTEGER, ttft_b18 INTEGER, ttft_b19 INTEGER, ttft_b20 INTEGER, ttft_b21 INTEGER, ttft_b22 INTEGER, ttft_b23 INTEGER, itl_count INTEGER, itl_sum_us INTEGER, itl_b00 INTEGER, itl_b01 INTEGER, itl_b02 INTEGER, itl_b03 INTEGER, itl_b04 INTEGER, itl_b05 INTEGER, itl_b06 INTEGER, itl_b07 INTEGER, itl_b08 INTEGER, itl_b09 INTEGER, itl_b10 INTEGER, itl_b11 INTEGER, itl_b12 INTEGER, itl_b13 INTEGER, itl_b14 INTEGER, itl_b15 INTEGER, itl_b16 INTEGER, itl_b17 INTEGER, itl_b18 INTEGER, itl_b19 INTEGER, itl_b20 INTEGER, itl_b21 INTEGER, itl_b22 INTEGER, itl_b23 INTEGER, e2e_count INTEGER, e2e_sum_us INTEGER, e2e_b00 INTEGER, e2e_b01 INTEGER, e2e_b02 INTEGER, e2e_b03 INTEGER, e2e_b04 INTEGER, e2e_b05 INTEGER, e2e_b06 INTEGER, e2e_b07 INTEGER, e2e_b08 INTEGER, e2e_b09 INTEGER, e2e_b10 INTEGER, e2e_b11 INTEGER, e2e_b12 INTEGER, e2e_b13 INTEGER, e2e_b14 INTEGER, e2e_b15 INTEGER, e2e_b16 INTEGER, e2e_b17 INTEGER, e2e_b18 INTEGER, e2e_b19 INTEGER, e2e_b20 INTEGER, e2e_b21 INTEGER, e2e_b22 INTEGER, e2e_b23 INTEGER, queue_count INTEGER, queue_sum_us INTEGER, queue_b00 INTEGER, queue_b01 INTEGER, queue_b02 INTEGER, queue_b03 INTEGER, queue_b04 INTEGER, queue_b05 INTEGER, queue_b06 INTEGER, queue_b07 INTEGER, queue_b08 INTEGER, queue_b09 INTEGER, queue_b10 INTEGER, queue_b11 INTEGER, queue_b12 INTEGER, queue_b13 INTEGER, queue_b14 INTEGER, queue_b15 INTEGER, queue_b16 INTEGER, queue_b17 INTEGER, queue_b18 INTEGER, queue_b19 INTEGER, queue_b20 INTEGER, queue_b21 INTEGER, queue_b22 INTEGER, queue_b23 INTEGER,
  PRIMARY KEY (run_id, ts_ms),
  FOREIGN KEY (run_id) REFERENCES runs (id)
) STRICT, WITHOUT ROWID
;

CREATE TABLE peaks (
  run_id INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  running_max INTEGER, waiting_max INTEGER, kv_usage_max_ppm INTEGER,
  PRIMARY KEY (run_id, minute)
) STRICT, WITHOUT ROWID
;

CREATE TABLE devices (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('gpu', 'host')),
  uuid TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (kind, uuid)
) STRICT
;

CREATE TABLE run_devices (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  device_id INTEGER NOT NULL REFERENCES devices (id),
  first_ms INTEGER NOT NULL,
  PRIMARY KEY (run_id, device_id)
) STRICT, WITHOUT ROWID
;

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
;

CREATE TABLE device_peaks (
  run_id INTEGER NOT NULL,
  device_id INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  memory_max_mib INTEGER,
  PRIMARY KEY (run_id, device_id, minute)
) STRICT, WITHOUT ROWID
;

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
;

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
;

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  ts_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT
;

CREATE TABLE recorders (
  engine_id INTEGER PRIMARY KEY REFERENCES engines (id),
  owner TEXT NOT NULL,
  beat_ms INTEGER NOT NULL
) STRICT
;

CREATE TABLE snapshots (
  name TEXT PRIMARY KEY,
  engine_id INTEGER NOT NULL REFERENCES engines (id),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  made_ms INTEGER NOT NULL,
  configuration TEXT NOT NULL CHECK (json_valid(configuration)),
  note TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID
;

CREATE INDEX runs_by_engine ON runs (engine_id);
CREATE INDEX changes_by_run ON changes (run_id, ts_ms);
CREATE INDEX events_by_engine ON events (engine_id, ts_ms);
