import { forecastMadeTable } from "#forecast/accuracy/forecast-table.ts";
import type { Migration } from "#platform/files/open-database.ts";
import { costTables } from "./costs/cost-migration.ts";

export const controllerMigrations: readonly Migration[] = [
  `CREATE TABLE agent (
     agent_id TEXT PRIMARY KEY,
     presence TEXT,
     birth TEXT,
     reported TEXT,
     last_heard_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE desired (
     agent_id TEXT PRIMARY KEY,
     document TEXT NOT NULL
   ) STRICT;
   CREATE TABLE override (
     agent_id TEXT PRIMARY KEY,
     role TEXT,
     power_mode TEXT,
     created_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE minute (
     agent_id TEXT NOT NULL,
     boot_id TEXT NOT NULL,
     seq INTEGER NOT NULL,
     minute_start_ms INTEGER NOT NULL,
     texts INTEGER NOT NULL,
     historical INTEGER NOT NULL,
     role TEXT NOT NULL,
     traffic TEXT NOT NULL,
     power TEXT,
     forecast TEXT,
     PRIMARY KEY (agent_id, boot_id, seq)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX minute_by_time ON minute (minute_start_ms, agent_id, boot_id, seq, texts);
   CREATE TABLE decision (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     at_ms INTEGER NOT NULL,
     last_at_ms INTEGER NOT NULL,
     repeats INTEGER NOT NULL,
     kind TEXT NOT NULL,
     rule TEXT NOT NULL,
     reason TEXT NOT NULL,
     agents TEXT NOT NULL,
     inputs TEXT NOT NULL,
     outcome TEXT NOT NULL
   ) STRICT;
   CREATE INDEX decision_by_time ON decision (at_ms);`,
  `ALTER TABLE override ADD COLUMN power_mode_cap TEXT;`,
  // One row at most in each: what an operator froze, and which controller acts on this store.
  `CREATE TABLE freeze (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     reason TEXT NOT NULL,
     since_ms INTEGER NOT NULL,
     until_ms INTEGER
   ) STRICT;
   CREATE TABLE lease (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     holder TEXT NOT NULL,
     about TEXT NOT NULL,
     expires_real_ms INTEGER NOT NULL
   ) STRICT;`,
  forecastMadeTable,
  // What came and was neither believed nor thrown away: beside the record, not part of it.
  `CREATE TABLE set_aside (
     agent_id TEXT NOT NULL,
     boot_id TEXT NOT NULL,
     seq INTEGER NOT NULL,
     content_hash TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     reason TEXT NOT NULL,
     document TEXT NOT NULL,         -- protocol MinuteData as JSON
     PRIMARY KEY (agent_id, boot_id, seq, content_hash)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX set_aside_by_time ON set_aside (at_ms);`,
  // What users were given, in sums of five minutes (kept for a day) and of hours (kept for a year), by region and model.
  `CREATE TABLE service (
     span_ms INTEGER NOT NULL,
     start_ms INTEGER NOT NULL,
     region TEXT NOT NULL,
     model TEXT NOT NULL,
     requests INTEGER NOT NULL,
     queue INTEGER NOT NULL,
     deadline INTEGER NOT NULL,
     standby INTEGER NOT NULL,
     rate_limit INTEGER NOT NULL,
     error INTEGER NOT NULL,
     latency_counts TEXT NOT NULL,   -- JSON array, as in MinuteData
     PRIMARY KEY (span_ms, start_ms, region, model)
   ) STRICT, WITHOUT ROWID;`,
  // What a part of the controller keeps across a restart.
  `CREATE TABLE kept (
     name TEXT PRIMARY KEY,
     document TEXT NOT NULL
   ) STRICT;`,
  // Keys of the API that were issued: never their texts.
  `CREATE TABLE api_key (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     role TEXT NOT NULL,
     hash TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER,
     revoked_at_ms INTEGER,
     last_used_at_ms INTEGER,
     replaces TEXT
   ) STRICT;`,
  // Changes by people and programs, each row with the hash of the one before it inside.
  `CREATE TABLE audit (
     seq INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     hash TEXT NOT NULL,
     entry TEXT NOT NULL             -- AuditEntry as canonical JSON
   ) STRICT;`,
  // Tokens by which devices join, as public keys, and who has joined.
  `CREATE TABLE join_token (
     id TEXT PRIMARY KEY,
     public_key TEXT NOT NULL,
     region TEXT NOT NULL,
     is_approved INTEGER NOT NULL,
     uses_left INTEGER NOT NULL,
     created_ms INTEGER NOT NULL,
     expires_ms INTEGER NOT NULL,
     revoked_ms INTEGER
   ) STRICT;
   CREATE TABLE device (
     agent_id TEXT PRIMARY KEY,
     document TEXT NOT NULL
   ) STRICT;`,
  `CREATE TABLE tenant (
     id TEXT PRIMARY KEY,
     created_at_ms INTEGER NOT NULL,
     settings TEXT NOT NULL          -- TenantSettings as JSON
   ) STRICT;
   ALTER TABLE api_key ADD COLUMN tenant TEXT;`,
  costTables,
  // Erasures and exports of tenants' data, and what each store of the controller and the agents answered.
  `CREATE TABLE tenant_job (
     id TEXT PRIMARY KEY,
     created_ms INTEGER NOT NULL,
     document TEXT NOT NULL          -- TenantJobRow as JSON
   ) STRICT;
   CREATE TABLE tenant_receipt (
     job_id TEXT NOT NULL,
     of TEXT NOT NULL,
     document TEXT NOT NULL,         -- TenantReceiptRow as JSON
     PRIMARY KEY (job_id, of)
   ) STRICT, WITHOUT ROWID;`,
  // What a tenant's key may use, as JSON; null: all that its tenant may.
  `ALTER TABLE api_key ADD COLUMN scope TEXT;`,
];
