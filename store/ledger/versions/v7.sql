-- Version 7: the cards of a host, whoever holds them: what each does, and when it did not answer.
-- Frozen.

CREATE TABLE card_recorders (
  host TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  beat_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID
;

CREATE TABLE cards (
  device_id INTEGER PRIMARY KEY REFERENCES devices (id),
  host TEXT NOT NULL,
  card_index TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ok', 'unknown', 'lost')),
  reason TEXT NOT NULL DEFAULT '',
  seen_ms INTEGER NOT NULL,
  told_ms INTEGER,
  busy_ppm INTEGER, memory_used_mib INTEGER, memory_total_mib INTEGER, power_mw INTEGER, limit_mw INTEGER, temperature_c INTEGER, sm_mhz INTEGER, memory_mhz INTEGER,
  throttle TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(throttle)),
  last_xid INTEGER
) STRICT
;

CREATE TABLE card_states (
  device_id INTEGER NOT NULL REFERENCES devices (id),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER,
  state TEXT NOT NULL CHECK (state IN ('unknown', 'lost')),
  reason TEXT NOT NULL,
  PRIMARY KEY (device_id, from_ms)
) STRICT, WITHOUT ROWID
;

CREATE TABLE card_readings (
  device_id INTEGER NOT NULL REFERENCES devices (id),
  ts_ms INTEGER NOT NULL,
  present_ms INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL,
  busy_us INTEGER, busy_unknown_ms INTEGER, memory_mib_ms INTEGER, memory_unknown_ms INTEGER, power_mj INTEGER, power_unknown_ms INTEGER, limit_mj INTEGER, limit_unknown_ms INTEGER, sm_clock_mhz_ms INTEGER, sm_clock_unknown_ms INTEGER, memory_clock_mhz_ms INTEGER, memory_clock_unknown_ms INTEGER, sm_active_us INTEGER, sm_active_unknown_ms INTEGER, tensor_active_us INTEGER, tensor_active_unknown_ms INTEGER, dram_active_us INTEGER, dram_active_unknown_ms INTEGER, energy_mj INTEGER, throttled_power_ms INTEGER, throttled_thermal_ms INTEGER, throttled_hw_thermal_ms INTEGER, throttled_power_brake_ms INTEGER, throttled_sync_boost_ms INTEGER, ecc_corrected INTEGER, ecc_uncorrected INTEGER, xids INTEGER, pcie_tx_kib INTEGER, pcie_rx_kib INTEGER, nvlink_tx_kib INTEGER, nvlink_rx_kib INTEGER, energy_unknown_ms INTEGER, temperature_max_c INTEGER,
  PRIMARY KEY (device_id, ts_ms)
) STRICT, WITHOUT ROWID
;
