import type { Database } from "bun:sqlite";

/** A text under a name in the agent's state file, kept from one run to the next. */
export function createStoredText(
  database: Database,
  name: string,
): { load(): string | null; save(text: string): void } {
  const select = database.query<{ content: string }, [string]>("SELECT content FROM document WHERE name = ?");
  const replace = database.query("INSERT OR REPLACE INTO document (name, content) VALUES (?, ?)");
  return {
    load: () => select.get(name)?.content ?? null,
    save(text) {
      replace.run(name, text);
    },
  };
}
