import { forecastMadeTable } from "#forecast/accuracy/forecast-table.ts";
import type { Migration } from "#platform/files/open-database.ts";

/** Schema of the agent's state file. Steps are only ever appended. */
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
  forecastMadeTable,
];
