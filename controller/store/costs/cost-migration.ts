import type { Migration } from "#platform/files/open-database.ts";

/** Bound of sums, in a damaged file as well: a thousand of the largest still fit into 64 bits. */
const max = Number.MAX_SAFE_INTEGER;

/**
 * Cost lines by hour and by day: of agents, and of all together under an empty agent_id. Amounts are in whole millionths (micro) and the rest in
 * millionths of these (pico), so that sums are exact and fit.
 */
export const costTables: Migration = `
  CREATE TABLE cost_device (
    span_ms INTEGER NOT NULL,
    start_ms INTEGER NOT NULL CHECK (start_ms BETWEEN 0 AND 4102444800000),
    agent_id TEXT NOT NULL CHECK (length(agent_id) <= 64),
    region TEXT NOT NULL CHECK (length(region) <= 64),
    energy_micro INTEGER NOT NULL CHECK (energy_micro BETWEEN 0 AND ${max}),
    energy_pico INTEGER NOT NULL CHECK (energy_pico BETWEEN 0 AND ${max}),
    owning_micro INTEGER NOT NULL CHECK (owning_micro BETWEEN 0 AND ${max}),
    owning_pico INTEGER NOT NULL CHECK (owning_pico BETWEEN 0 AND ${max}),
    energy_kwh REAL NOT NULL CHECK (energy_kwh BETWEEN 0 AND ${max}),
    observed_ms REAL NOT NULL CHECK (observed_ms BETWEEN 0 AND ${max}),
    measured_ms REAL NOT NULL CHECK (measured_ms BETWEEN 0 AND ${max}),
    compute_ms REAL NOT NULL CHECK (compute_ms BETWEEN 0 AND ${max}),
    first_minutes INTEGER NOT NULL,  -- a bit for each of the hour's first 30 minutes that is counted
    last_minutes INTEGER NOT NULL,
    price_key TEXT NOT NULL CHECK (length(price_key) <= 128),
    gaps TEXT NOT NULL CHECK (length(gaps) <= 1024), -- JSON of what has no price
    gap_minutes INTEGER NOT NULL CHECK (gap_minutes BETWEEN 0 AND ${max}),
    PRIMARY KEY (span_ms, start_ms, agent_id, region)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE cost_work (
    span_ms INTEGER NOT NULL,
    start_ms INTEGER NOT NULL CHECK (start_ms BETWEEN 0 AND 4102444800000),
    agent_id TEXT NOT NULL CHECK (length(agent_id) <= 64),
    region TEXT NOT NULL CHECK (length(region) <= 64),
    tenant TEXT NOT NULL CHECK (length(tenant) <= 128),
    model TEXT NOT NULL CHECK (length(model) <= 128),
    used_micro INTEGER NOT NULL CHECK (used_micro BETWEEN 0 AND ${max}),
    used_pico INTEGER NOT NULL CHECK (used_pico BETWEEN 0 AND ${max}),
    offers_micro INTEGER NOT NULL CHECK (offers_micro BETWEEN 0 AND ${max}),
    offers_pico INTEGER NOT NULL CHECK (offers_pico BETWEEN 0 AND ${max}),
    active_kwh REAL NOT NULL CHECK (active_kwh BETWEEN 0 AND ${max}),
    compute_ms REAL NOT NULL CHECK (compute_ms BETWEEN 0 AND ${max}),
    requests INTEGER NOT NULL CHECK (requests BETWEEN 0 AND ${max}),
    tokens INTEGER NOT NULL CHECK (tokens BETWEEN 0 AND ${max}),
    only_agent TEXT NOT NULL CHECK (length(only_agent) <= 128),
    PRIMARY KEY (span_ms, start_ms, agent_id, region, tenant, model)
  ) STRICT, WITHOUT ROWID;
  -- Gaps of an hour of the fleet, as it was rolled up.
  CREATE TABLE cost_gap (
    start_ms INTEGER NOT NULL,
    gaps TEXT NOT NULL CHECK (length(gaps) <= 1024),
    minutes INTEGER NOT NULL CHECK (minutes BETWEEN 0 AND ${max}),
    PRIMARY KEY (start_ms, gaps)
  ) STRICT, WITHOUT ROWID;
  -- Hours of agents that are to be rated from their minutes.
  CREATE TABLE cost_unrated (
    start_ms INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    PRIMARY KEY (start_ms, agent_id)
  ) STRICT, WITHOUT ROWID;
  -- Hours and days whose lines of the fleet are not as of now.
  CREATE TABLE cost_stale (
    span_ms INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    PRIMARY KEY (span_ms, start_ms)
  ) STRICT, WITHOUT ROWID;
  -- Days with lines of agents by day.
  CREATE TABLE cost_rolled (
    start_ms INTEGER PRIMARY KEY,
    is_whole INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE cost_agent (
    agent_id TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (agent_id, from_ms)
  ) STRICT, WITHOUT ROWID;
  -- Minutes before this time were stored before there were cost lines, and are still to be rated.
  CREATE TABLE cost_backfill (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    before_ms INTEGER NOT NULL
  ) STRICT;
  INSERT INTO cost_backfill
    SELECT 1, newest + 1 FROM (SELECT max(minute_start_ms) AS newest FROM minute) WHERE newest IS NOT NULL;`;
