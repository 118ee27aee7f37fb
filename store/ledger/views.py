"""The views: `readings` put together from its two parts, and friendly ones on top.

The friendly ones are for sqlite3, Datasette and pandas: names with units, rates instead of totals.
A row's rate is since the row before it, which is looked up rather than taken with lag(): so a time
range or a LIMIT reads only the rows it asks for.
"""

from __future__ import annotations

from store.device_columns import CARD_GAUGES, CAUSES, unknown_column
from store.ledger.schema import MINUTE_MS, cumulative
from store.reading_columns import GAUGES, MAXIMA, READING_COLUMNS


def _time(column: str) -> str:
    """A time in ms as ISO 8601 in UTC."""
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000.0, 'unixepoch')"


def _value(column: str) -> str:
    """A knob's value as people read it: on, off or a number."""
    return (
        f"CASE json_type({column}) WHEN 'true' THEN 'on' WHEN 'false' THEN 'off' "
        f"ELSE json_extract({column}, '$') END"
    )


def _step(column: str) -> str:
    """What a column grew by since the row before."""
    return f"(now.{column} - was.{column})"


def _mean(gauge: str) -> str:
    """The mean of a gauge since the row before, over the time in which it was known."""
    columns = GAUGES[gauge]
    known_ms = f"({_grew('watched_ms')} - ifnull({_grew(columns.unknown)}, 0))"
    scale = " / 1000.0" if columns.share else " * 1.0"
    return f"{_grew(columns.integral)}{scale} / nullif({known_ms}, 0)"


def _grew(column: str) -> str:
    """What a reading's column grew by since the one before, which is told in its two parts."""
    return f"(now.{column} - {cumulative(column, 'was', 'was_base')})"


def _known_step(gauge: str) -> str:
    """The time since the row before in which a device told a gauge."""
    unknown = _step(unknown_column(gauge))
    return f"({_step('watched_ms')} - ifnull({unknown}, 0))"


def _card_mean(gauge: str, scale: float, digits: int) -> str:
    """The mean of a card's gauge since the row before, over the time in which it was told."""
    grown = _step(CARD_GAUGES[gauge])
    return f"round({scale} * {grown} / nullif({_known_step(gauge)}, 0), {digits})"


_THROTTLED = ", ".join(
    f"{_step(f'throttled_{cause}_ms')} / 1000.0 AS throttled_{cause}_seconds" for cause in CAUSES
)

READINGS = f"""
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
"""The query of the view `readings`, whose columns are `READING_COLUMNS`."""

_FINISHED = " + ".join(
    _grew(f"requests_{reason}") for reason in ("stop", "length", "abort", "error", "other")
)

_RATES = f"""
SELECT
  engines.name AS engine, runs.model, now.run_id, {_time("now.ts_ms")} AS time_utc, now.ts_ms,
  {_step("ts_ms")} / 1000.0 AS step_seconds,
  round(1000.0 * ({_FINISHED}) / {_step("ts_ms")}, 3) AS requests_per_second,
  round(1000.0 * {_grew("prompt_tokens")} / {_step("ts_ms")}, 1) AS prompt_tokens_per_second,
  round(1000.0 * {_grew("generation_tokens")} / {_step("ts_ms")}, 1)
    AS generation_tokens_per_second,
  round(ifnull(1.0 * {_grew("cached_prompt_tokens")} / nullif({_grew("prompt_tokens")}, 0),
    1.0 * {_grew("prefix_hits")} / nullif({_grew("prefix_queries")}, 0)), 4) AS cache_hit_rate,
  round({_mean("running")}, 2) AS running_mean,
  now.running_max,
  round({_mean("waiting")}, 2) AS waiting_mean,
  now.waiting_max,
  round({_mean("kv_usage")}, 4) AS kv_usage_mean,
  now.kv_usage_max_ppm / 1e6 AS kv_usage_max,
  round(1.0 * {_grew("active_ms")}
    / nullif({_grew("watched_ms")} - ifnull({_grew(GAUGES["running"].unknown)}, 0), 0), 4)
    AS active_fraction,
  {_grew("preemptions")} AS preemptions,
  round({_grew("ttft_sum_us")} / 1e6 / nullif({_grew("ttft_count")}, 0), 6) AS ttft_mean_seconds,
  round({_grew("itl_sum_us")} / 1e6 / nullif({_grew("itl_count")}, 0), 6) AS itl_mean_seconds,
  round({_grew("e2e_sum_us")} / 1e6 / nullif({_grew("e2e_count")}, 0), 6) AS e2e_mean_seconds,
  round({_grew("queue_sum_us")} / 1e6 / nullif({_grew("queue_count")}, 0), 6)
    AS queue_mean_seconds,
  engines.id AS engine_id
FROM readings AS now
LEFT JOIN reading_rows AS was ON was.run_id = now.run_id AND was.ts_ms =
  (SELECT max(ts_ms) FROM reading_rows WHERE run_id = now.run_id AND ts_ms < now.ts_ms)
LEFT JOIN reading_bases AS was_base
  ON was_base.run_id = was.run_id AND was_base.minute = was.ts_ms / {MINUTE_MS}
JOIN runs ON runs.id = now.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_RUNS = f"""
SELECT
  runs.id AS run_id, engines.name AS engine, engines.url, runs.model, runs.pid,
  runs.vllm_version, runs.control, runs.reason,
  {_time("runs.started_ms")} AS started_utc, {_time("runs.first_seen_ms")} AS first_seen_utc,
  {_time("(SELECT max(ts_ms) FROM reading_rows WHERE run_id = runs.id)")} AS last_reading_utc,
  runs.arguments, runs.cache_config, runs.first_seen_ms AS ts_ms,
  engines.id AS engine_id
FROM runs JOIN engines ON engines.id = runs.engine_id
"""

_CHANGES = f"""
SELECT
  {_time("changes.ts_ms")} AS time_utc, engines.name AS engine, changes.run_id, knob,
  {_value("from_value")} AS from_value, {_value("to_value")} AS to_value,
  outcome, cause, who, why, changes.reason, took_ms, lease_s AS lease_seconds,
  changes.id AS change_id, undoes, per_engine, changes.ts_ms,
  engines.id AS engine_id
FROM changes
JOIN runs ON runs.id = changes.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_KNOBS = f"""
SELECT
  engines.name AS engine, now.run_id, now.name AS knob, kind,
  {_value("value")} AS value, {_value("start")} AS start_value, minimum, maximum, now.reason,
  {_time("now.ts_ms")} AS since_utc,
  NOT EXISTS (SELECT 1 FROM knobs AS later WHERE later.run_id = now.run_id
    AND later.name = now.name AND later.ts_ms > now.ts_ms) AS is_latest,
  now.ts_ms,
  engines.id AS engine_id
FROM knobs AS now
JOIN runs ON runs.id = now.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_SNAPSHOTS = f"""
SELECT
  snapshots.name, engines.name AS engine,
  {_time("from_ms")} AS from_utc, {_time("to_ms")} AS to_utc,
  (to_ms - from_ms) / 1000.0 AS seconds, {_time("made_ms")} AS made_utc,
  configuration, note, made_ms AS ts_ms,
  engines.id AS engine_id
FROM snapshots JOIN engines ON engines.id = snapshots.engine_id
"""

_DEVICES = f"""
SELECT
  engines.name AS engine, now.run_id, devices.kind, devices.name AS device, devices.uuid,
  {_time("now.ts_ms")} AS time_utc, now.ts_ms,
  {_step("held_ms")} / 1000.0 AS device_seconds,
  round({_step("busy_us")} / 1000.0 / nullif({_known_step("busy")}, 0), 4) AS utilisation_mean,
  round(1.0 * {_step("memory_mib_ms")} / nullif({_known_step("memory")}, 0), 1) AS memory_mean_mib,
  now.memory_max_mib,
  round(1.0 * {_step("energy_mj")} / {_step("ts_ms")}, 2) AS power_mean_watts,
  engines.id AS engine_id
FROM device_readings AS now
LEFT JOIN device_readings AS was ON was.run_id = now.run_id AND was.device_id = now.device_id
  AND was.ts_ms = (SELECT max(ts_ms) FROM device_readings
    WHERE run_id = now.run_id AND device_id = now.device_id AND ts_ms < now.ts_ms)
JOIN devices ON devices.id = now.device_id
JOIN runs ON runs.id = now.run_id
JOIN engines ON engines.id = runs.engine_id
"""

_CARDS = f"""
SELECT
  cards.card_index AS gpu, devices.name AS device, devices.uuid, cards.host,
  {_time("now.ts_ms")} AS time_utc, now.ts_ms, {_step("ts_ms")} / 1000.0 AS step_seconds,
  {_card_mean("busy", 0.001, 4)} AS utilisation_mean,
  {_card_mean("memory", 1.0, 1)} AS memory_mean_mib,
  {_card_mean("power", 1.0, 2)} AS power_mean_watts,
  {_card_mean("limit", 1.0, 2)} AS power_limit_watts,
  {_step("energy_mj")} / 1000.0 AS energy_joules,
  now.temperature_max_c,
  {_card_mean("sm_clock", 1.0, 0)} AS sm_clock_mhz,
  {_card_mean("memory_clock", 1.0, 0)} AS memory_clock_mhz,
  {_card_mean("sm_active", 0.001, 4)} AS sm_active,
  {_card_mean("tensor_active", 0.001, 4)} AS tensor_active,
  {_card_mean("dram_active", 0.001, 4)} AS dram_active,
  {_THROTTLED},
  {_step("ecc_corrected")} AS ecc_corrected, {_step("ecc_uncorrected")} AS ecc_uncorrected,
  {_step("xids")} AS xids,
  1024 * {_step("pcie_tx_kib")} AS pcie_tx_bytes, 1024 * {_step("pcie_rx_kib")} AS pcie_rx_bytes,
  1024 * {_step("nvlink_tx_kib")} AS nvlink_tx_bytes,
  1024 * {_step("nvlink_rx_kib")} AS nvlink_rx_bytes,
  NULL AS engine, NULL AS engine_id
FROM card_readings AS now
LEFT JOIN card_readings AS was ON was.device_id = now.device_id
  AND was.ts_ms = (SELECT max(ts_ms) FROM card_readings
    WHERE device_id = now.device_id AND ts_ms < now.ts_ms)
JOIN cards ON cards.device_id = now.device_id
JOIN devices ON devices.id = now.device_id
"""

_CARD_STATES = f"""
SELECT {_time("from_ms")} AS from_utc, {_time("to_ms")} AS to_utc, cards.card_index AS gpu,
  devices.name AS device, devices.uuid, card_states.state, card_states.reason, from_ms AS ts_ms,
  NULL AS engine, NULL AS engine_id
FROM card_states
JOIN cards ON cards.device_id = card_states.device_id
JOIN devices ON devices.id = card_states.device_id
"""

_EVENTS = f"""
SELECT {_time("ts_ms")} AS time_utc, engines.name AS engine, kind, text, ts_ms,
  engines.id AS engine_id
FROM events JOIN engines ON engines.id = events.engine_id
"""

_SWAPS = f"""
SELECT {_time("ts_ms")} AS time_utc, engines.name AS engine, variant, strategy, outcome, reason,
  who, why, took_s, waited_s, swaps.id AS swap_id, evidence, ts_ms,
  engines.id AS engine_id
FROM swaps JOIN engines ON engines.id = swaps.engine_id
"""

_STARTS = f"""
SELECT {_time("ts_ms")} AS time_utc, engines.name AS engine, model, beside, took_s, phases, ts_ms,
  engines.id AS engine_id
FROM starts JOIN engines ON engines.id = starts.engine_id
"""

_DOUBTS = f"""
SELECT {_time("from_ms")} AS from_utc, {_time("to_ms")} AS to_utc, engines.name AS engine, run_id,
  what, doubts.reason, from_ms AS ts_ms,
  engines.id AS engine_id
FROM doubts JOIN runs ON runs.id = doubts.run_id JOIN engines ON engines.id = runs.engine_id
"""

_SHARING = f"""
SELECT {_time("from_ms")} AS from_utc, {_time("to_ms")} AS to_utc, engines.name AS engine, run_id,
  device_uuid, joined, shared, from_ms AS ts_ms,
  engines.id AS engine_id
FROM device_notes JOIN runs ON runs.id = run_id JOIN engines ON engines.id = runs.engine_id
"""

VIEWS: dict[str, str] = {
    "v_readings": _RATES,
    "v_runs": _RUNS,
    "v_changes": _CHANGES,
    "v_knobs": _KNOBS,
    "v_snapshots": _SNAPSHOTS,
    "v_devices": _DEVICES,
    "v_events": _EVENTS,
    "v_swaps": _SWAPS,
    "v_starts": _STARTS,
    "v_doubts": _DOUBTS,
    "v_sharing": _SHARING,
    "v_cards": _CARDS,
    "v_card_states": _CARD_STATES,
}
"""The query of each friendly view. Every one has the columns `engine`, `engine_id` and `ts_ms`; a
card is of no engine."""
