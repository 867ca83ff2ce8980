import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { maxMessageBytes } from "#protocol/codec.ts";

/** Keeps a text under a name in the agent's state file. */
export function createStoredText(database: StateDatabase, name: string, storage: StorageWatch = strictStorage) {
  const select = database.query<{ content: string }, [string]>(
    `SELECT content FROM document WHERE name = ? AND length(content) <= ${maxMessageBytes}`,
  );
  const replace = database.query("INSERT OR REPLACE INTO document (name, content) VALUES (?, ?)");
  /** Text as last read or saved. */
  let known: string | null = null;
  /** Text that is newer than the one on disk. */
  let unwritten: string | null = null;
  const write = (text: string) => {
    known = text;
    const written = storage.attempt(
      `writing ${name}`,
      () => {
        replace.run(name, text);
        return true;
      },
      false,
    );
    unwritten = written ? null : text;
  };
  storage.keep({
    flush() {
      if (unwritten !== null) write(unwritten);
    },
    waiting: () => (unwritten === null ? { records: 0, bytes: 0 } : { records: 1, bytes: unwritten.length }),
  });
  return {
    /** Returns the text; null when there is none, or it can't be read or is too long. */
    load(): string | null {
      known ??= storage.attempt(`reading ${name}`, () => select.get(name)?.content ?? null, null);
      return known;
    },
    /** Stores the text; keeps it in memory while it can't be written. */
    save: write,
  };
}
