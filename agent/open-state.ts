import type { Database } from "bun:sqlite";
import { UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { openDatabase } from "#platform/open-database.ts";
import { agentStateMigrations } from "./state-migrations.ts";

/**
 * Opens the agent's state file for this process alone: a second agent would send the same records under another name.
 * @throws UsageError when another agent holds it.
 */
export function openState(path: string, log: Logger, nowMs: number): Database {
  let database: Database | undefined;
  try {
    database = openDatabase(path, agentStateMigrations, log, Math.round(nowMs));
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
    database.run("COMMIT");
    return database;
  } catch (cause) {
    database?.close();
    if ((cause as { code?: unknown }).code !== "SQLITE_BUSY") throw cause;
    throw new UsageError(`the state in ${path} is in use by another agent: give each its own stateDir`, { cause });
  }
}
