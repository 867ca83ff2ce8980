import { join } from "node:path";
import { type LiveAccuracy, StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { openDatabase, recentDamage } from "#platform/files/open-database.ts";
import type { Logger } from "#platform/log.ts";
import { controllerMigrations } from "./store/migrations.ts";
import { createRowQuarantine } from "./store/row-quarantine.ts";
import { createSqliteStore } from "./store/sqlite-store.ts";
import type { Store } from "./store/store.ts";

/** The records of a controller, in one database. */
export interface ControllerRecords {
  readonly store: Store;
  /** Accuracy of the fleet's forecasts. */
  readonly accuracy: LiveAccuracy;
  /** Recent damage of the database's file, for /healthz; null: none. */
  readonly damage: (nowMs: number) => string | null;
}

/** Opens the records in a state directory; closing the store closes them all. */
export function openRecords(stateDir: string, nowMs: number, log: Logger): ControllerRecords {
  const path = join(stateDir, "controller.db");
  const database = openDatabase(path, controllerMigrations, log, Math.round(nowMs));
  const quarantine = createRowQuarantine((table, key, reason) =>
    log.error({ table, key, reason }, "a row of the store can't be read: skipping it"),
  );
  return {
    store: createSqliteStore(database, quarantine),
    accuracy: new StoredAccuracy(database, undefined, (key, reason) => quarantine.note("forecast_made", key, reason)),
    damage: (atMs) => recentDamage(path, atMs),
  };
}
