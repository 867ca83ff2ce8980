import type { Migration } from "#platform/open-database.ts";

/** The schema of the agent's state file. Steps are only ever added. */
export const agentStateMigrations: readonly Migration[] = [
  `CREATE TABLE minute_traffic (
     boot_id TEXT NOT NULL,
     seq INTEGER NOT NULL,
     minute_start_ms INTEGER NOT NULL,
     observed_ms REAL NOT NULL,
     texts INTEGER NOT NULL,
     traffic TEXT NOT NULL,          -- protocol MinuteTraffic as JSON
     queued INTEGER NOT NULL,        -- 1 once its message is in the outbox
     PRIMARY KEY (boot_id, seq)
   ) STRICT;
   CREATE INDEX minute_traffic_time ON minute_traffic (minute_start_ms);
   CREATE INDEX minute_traffic_unqueued ON minute_traffic (queued) WHERE queued = 0;
   CREATE TABLE outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     boot_id TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     payload TEXT NOT NULL           -- protocol MinuteData as JSON
   ) STRICT;
   CREATE TABLE document (name TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT;`,
  `CREATE TABLE forecast_made (
     start_ms INTEGER PRIMARY KEY,   -- of the first step that was forecast
     made_at_ms INTEGER NOT NULL,
     model TEXT NOT NULL,
     step_ms INTEGER NOT NULL,
     level_qps REAL NOT NULL,
     qps TEXT,                       -- JSON, a number a step; NULL once it was compared with what came
     upper_peak_qps REAL,
     absolute_error REAL,
     signed_error REAL,
     actual REAL,
     peak_forecast_qps REAL,
     peak_actual_qps REAL,
     covered INTEGER,
     rise TEXT,                      -- NULL until it was compared
     onset_ms INTEGER
   ) STRICT;
   CREATE INDEX forecast_made_pending ON forecast_made (start_ms) WHERE qps IS NOT NULL;`,
];
