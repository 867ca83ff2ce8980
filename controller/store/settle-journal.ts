import type { Database } from "bun:sqlite";
import { open } from "node:fs/promises";

/**
 * Returns what makes a database's commits outlast a power cut: SQLite leaves its journal to the system's own pace, and syncs it only before it moves
 * it into the database. One call serves all commits before it, and no other request waits for the disk.
 */
export function createSettling(database: Pick<Database, "filename">): () => Promise<void> {
  const { filename } = database;
  if (filename === "" || filename === ":memory:") return async () => {};
  return async () => {
    let journal: Awaited<ReturnType<typeof open>>;
    try {
      journal = await open(`${filename}-wal`, "r");
    } catch (error) {
      // Without a journal all of it is in the database, and synced.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    try {
      await journal.datasync();
    } finally {
      await journal.close();
    }
  };
}
