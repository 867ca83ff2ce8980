import { Database } from "bun:sqlite";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { Store } from "#controller/store/store.ts";

/** The real store on a database in memory. */
export function createMemoryStore(): Store {
  const database = new Database(":memory:", { strict: true });
  for (const statements of controllerMigrations) database.run(statements);
  return createSqliteStore(database);
}
