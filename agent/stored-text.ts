import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { maxMessageBytes } from "#protocol/codec.ts";

export interface StoredText {
  /** Null when there is none, it can't be read, or it is longer than anything that is kept so. */
  load(): string | null;
  /** Keeps in memory what can't be written, until it can. */
  save(text: string): void;
}

/** A text under a name in the agent's state file, kept from one run to the next. */
export function createStoredText(
  database: StateDatabase,
  name: string,
  storage: StorageWatch = strictStorage,
): StoredText {
  const select = database.query<{ content: string }, [string]>(
    `SELECT content FROM document WHERE name = ? AND length(content) <= ${maxMessageBytes}`,
  );
  const replace = database.query("INSERT OR REPLACE INTO document (name, content) VALUES (?, ?)");
  /** As last read or saved: a disk that can't be read later has no newer one. */
  let known: string | null = null;
  /** Newer than what is on disk. */
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
    load() {
      known ??= storage.attempt(`reading ${name}`, () => select.get(name)?.content ?? null, null);
      return known;
    },
    save: write,
  };
}
