"""Friendly views for sqlite3, Datasette and pandas: names with units, rates instead of totals."""

from __future__ import annotations

_READINGS = """
CREATE VIEW v_readings AS
WITH steps AS (
  SELECT run_id, ts_ms,
    (ts_ms - lag(ts_ms) OVER run) / 1000.0 AS seconds,
    requests_stop + requests_length + requests_abort + requests_error + requests_other
      - lag(requests_stop + requests_length + requests_abort + requests_error + requests_other)
        OVER run AS requests,
    prompt_tokens - lag(prompt_tokens) OVER run AS prompt_tokens,
    cached_prompt_tokens - lag(cached_prompt_tokens) OVER run AS cached_prompt_tokens,
    generation_tokens - lag(generation_tokens) OVER run AS generation_tokens,
    preemptions - lag(preemptions) OVER run AS preemptions,
    watched_ms - lag(watched_ms) OVER run AS watched_ms,
    active_ms - lag(active_ms) OVER run AS active_ms,
    running_ms - lag(running_ms) OVER run AS running_ms,
    waiting_ms - lag(waiting_ms) OVER run AS waiting_ms,
    kv_usage_us - lag(kv_usage_us) OVER run AS kv_usage_us,
    ttft_sum_us - lag(ttft_sum_us) OVER run AS ttft_sum_us,
    ttft_count - lag(ttft_count) OVER run AS ttft_count,
    e2e_sum_us - lag(e2e_sum_us) OVER run AS e2e_sum_us,
    e2e_count - lag(e2e_count) OVER run AS e2e_count,
    running_max, waiting_max, kv_usage_max_ppm
  FROM readings
  WINDOW run AS (PARTITION BY run_id ORDER BY ts_ms)
)
SELECT
  engines.name AS engine, runs.model, steps.run_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', ts_ms / 1000.0, 'unixepoch') AS time_utc, ts_ms,
  round(seconds, 3) AS step_seconds,
  round(requests / seconds, 3) AS requests_per_second,
  round(prompt_tokens / seconds, 1) AS prompt_tokens_per_second,
  round(generation_tokens / seconds, 1) AS generation_tokens_per_second,
  round(1.0 * cached_prompt_tokens / nullif(prompt_tokens, 0), 4) AS cache_hit_rate,
  round(1.0 * running_ms / nullif(steps.watched_ms, 0), 2) AS running_mean,
  running_max,
  round(1.0 * waiting_ms / nullif(steps.watched_ms, 0), 2) AS waiting_mean,
  waiting_max,
  round(kv_usage_us / 1000.0 / nullif(steps.watched_ms, 0), 4) AS kv_usage_mean,
  kv_usage_max_ppm / 1e6 AS kv_usage_max,
  round(1.0 * active_ms / nullif(steps.watched_ms, 0), 4) AS active_fraction,
  preemptions,
  round(ttft_sum_us / 1e6 / nullif(ttft_count, 0), 6) AS ttft_mean_seconds,
  round(e2e_sum_us / 1e6 / nullif(e2e_count, 0), 6) AS e2e_mean_seconds
FROM steps
JOIN runs ON runs.id = steps.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_RUNS = """
CREATE VIEW v_runs AS
SELECT
  runs.id AS run_id, engines.name AS engine, engines.url, runs.model, runs.pid,
  runs.vllm_version, runs.control, runs.reason,
  strftime('%Y-%m-%dT%H:%M:%SZ', runs.started_ms / 1000.0, 'unixepoch') AS started_utc,
  strftime('%Y-%m-%dT%H:%M:%SZ', runs.first_seen_ms / 1000.0, 'unixepoch') AS first_seen_utc,
  strftime('%Y-%m-%dT%H:%M:%SZ',
    (SELECT max(ts_ms) FROM readings WHERE run_id = runs.id) / 1000.0, 'unixepoch')
    AS last_reading_utc,
  runs.arguments, runs.cache_config
FROM runs JOIN engines ON engines.id = runs.engine_id
"""

_CHANGES = """
CREATE VIEW v_changes AS
SELECT
  strftime('%Y-%m-%dT%H:%M:%fZ', changes.ts_ms / 1000.0, 'unixepoch') AS time_utc,
  engines.name AS engine, changes.run_id, knob,
  json_extract(from_value, '$') AS from_value, json_extract(to_value, '$') AS to_value,
  outcome, cause, who, why, changes.reason, took_ms, lease_s AS lease_seconds,
  changes.id AS change_id, undoes, per_engine, changes.ts_ms
FROM changes
JOIN runs ON runs.id = changes.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_KNOBS = """
CREATE VIEW v_knobs AS
SELECT
  engines.name AS engine, knobs.run_id, knobs.name AS knob, kind,
  json_extract(value, '$') AS value, json_extract(start, '$') AS start_value,
  minimum, maximum, knobs.reason,
  strftime('%Y-%m-%dT%H:%M:%fZ', knobs.ts_ms / 1000.0, 'unixepoch') AS since_utc,
  lead(knobs.ts_ms) OVER (PARTITION BY knobs.run_id, knobs.name ORDER BY knobs.ts_ms) IS NULL
    AS is_current,
  knobs.ts_ms
FROM knobs
JOIN runs ON runs.id = knobs.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_SNAPSHOTS = """
CREATE VIEW v_snapshots AS
SELECT
  snapshots.name, engines.name AS engine,
  strftime('%Y-%m-%dT%H:%M:%fZ', from_ms / 1000.0, 'unixepoch') AS from_utc,
  strftime('%Y-%m-%dT%H:%M:%fZ', to_ms / 1000.0, 'unixepoch') AS to_utc,
  (to_ms - from_ms) / 1000.0 AS seconds,
  strftime('%Y-%m-%dT%H:%M:%fZ', made_ms / 1000.0, 'unixepoch') AS made_utc,
  configuration, note
FROM snapshots JOIN engines ON engines.id = snapshots.engine_id
"""

_DEVICES = """
CREATE VIEW v_devices AS
WITH steps AS (
  SELECT *,
    ts_ms - lag(ts_ms) OVER step AS step_ms,
    held_ms - lag(held_ms) OVER step AS held,
    watched_ms - lag(watched_ms) OVER step AS watched,
    busy_us - lag(busy_us) OVER step AS busy,
    memory_mib_ms - lag(memory_mib_ms) OVER step AS memory,
    energy_mj - lag(energy_mj) OVER step AS energy
  FROM device_readings
  WINDOW step AS (PARTITION BY run_id, device_id ORDER BY ts_ms)
)
SELECT
  engines.name AS engine, steps.run_id, devices.kind, devices.name AS device, devices.uuid,
  strftime('%Y-%m-%dT%H:%M:%fZ', steps.ts_ms / 1000.0, 'unixepoch') AS time_utc, steps.ts_ms,
  round(steps.held / 1000.0, 3) AS device_seconds,
  round(steps.busy / 1000.0 / nullif(steps.watched, 0), 4) AS utilisation_mean,
  round(1.0 * steps.memory / nullif(steps.watched, 0), 1) AS memory_mean_mib,
  steps.memory_max_mib,
  round(1.0 * steps.energy / nullif(steps.step_ms, 0), 2) AS power_mean_watts
FROM steps
JOIN devices ON devices.id = steps.device_id
JOIN runs ON runs.id = steps.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_EVENTS = """
CREATE VIEW v_events AS
SELECT
  strftime('%Y-%m-%dT%H:%M:%fZ', ts_ms / 1000.0, 'unixepoch') AS time_utc,
  engines.name AS engine, kind, text, ts_ms
FROM events JOIN engines ON engines.id = events.engine_id
"""

VIEWS: tuple[str, ...] = (_READINGS, _RUNS, _CHANGES, _KNOBS, _SNAPSHOTS, _DEVICES, _EVENTS)
"""The statements that make the views of a ledger."""
