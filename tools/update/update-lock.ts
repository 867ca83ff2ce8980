import { Database } from "bun:sqlite";
import { join } from "node:path";
import { UpdateError } from "./update-error.ts";

/**
 * Keeps other updates of this machine out until it is released; the system releases it when this process ends, however it ends.
 * @throws UpdateError when another update is under way
 */
export function lockUpdates(prefix: string): () => void {
  const database = new Database(join(prefix, "update.lock"), { create: true });
  try {
    database.run("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (!String((cause as { code?: unknown }).code).startsWith("SQLITE_BUSY"))
      throw new UpdateError(`${prefix}/update.lock can't be used`, { cause });
    throw new UpdateError(`another update of ${prefix} is in progress: wait for it`, { temporary: true });
  }
  return () => database.close();
}
