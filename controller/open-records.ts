import { join } from "node:path";
import { type LiveAccuracy, StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { openDatabase, recentDamage } from "#platform/files/open-database.ts";
import type { Logger } from "#platform/log.ts";
import { controllerMigrations } from "./store/migrations.ts";
import { openMirroredAccuracy } from "./store/postgres/mirrored-accuracy.ts";
import { openPostgres } from "./store/postgres/open-postgres.ts";
import { createPostgresStore } from "./store/postgres/postgres-store.ts";
import type { StoreConfig } from "./store/postgres/store-config.ts";
import { createRowQuarantine } from "./store/row-quarantine.ts";
import { createSqliteStore } from "./store/sqlite-store.ts";
import type { Store } from "./store/store.ts";

/** The records of a controller, in one database. */
export interface ControllerRecords {
  readonly store: Store;
  /** Opens the accuracy of the fleet's forecasts, as it is now on record; the store closes it. */
  readonly openAccuracy: () => Promise<LiveAccuracy>;
  /** Recent damage of the database's file, for /healthz; null: none. */
  readonly damage: (nowMs: number) => string | null;
  /** True for a server that several controllers use, of which one leads. */
  readonly isShared: boolean;
}

const quarantineOf = (log: Logger) =>
  createRowQuarantine((table, key, reason) =>
    log.error({ table, key, reason }, "a row of the store can't be read: skipping it"),
  );

/** Opens the records in a state directory; closing the store closes them all. */
export function openRecords(stateDir: string, nowMs: number, log: Logger): ControllerRecords {
  const path = join(stateDir, "controller.db");
  const database = openDatabase(path, controllerMigrations, log, Math.round(nowMs));
  const quarantine = quarantineOf(log);
  return {
    store: createSqliteStore(database, quarantine),
    openAccuracy: async () =>
      new StoredAccuracy(database, undefined, (key, reason) => quarantine.note("forecast_made", key, reason)),
    damage: (atMs) => recentDamage(path, atMs),
    isShared: false,
  };
}

interface OpenRecordsOptions {
  readonly config: StoreConfig;
  readonly stateDir: string;
  readonly nowMs: number;
  readonly log: Logger;
  /** User of the store: a controller, whose writes need the lease and which waits for the server, or a tool that an operator runs. */
  readonly by: "controller" | "tool";
  /** Ends waiting for a server. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the records that are configured, in the state directory or at a server. Null when `signal` aborted while a server was waited for.
 * @throws UsageError when the server refuses the login, the database or the schema
 */
export async function openConfiguredRecords(options: OpenRecordsOptions): Promise<ControllerRecords | null> {
  const { config, stateDir, nowMs, log, by, signal = null } = options;
  const { url } = config;
  if (url === null) return openRecords(stateDir, nowMs, log);
  const isTool = by === "tool";
  const database = await openPostgres({ ...config, url }, { isFenced: !isTool, log, signal: isTool ? null : signal });
  if (database === null) return null;
  const quarantine = quarantineOf(log);
  return {
    store: await createPostgresStore(database, quarantine),
    openAccuracy: () =>
      openMirroredAccuracy(database, log, (key, reason) => quarantine.note("forecast_made", key, reason)),
    damage: () => null,
    isShared: true,
  };
}
