import type { Database } from "bun:sqlite";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import type { KeptStore } from "./store.ts";

/** Longest document that is read. */
const maxLength = 4_000_000;

/** Table of the documents that a part of the controller keeps across a restart, by name. */
export function createKeptTable(database: Database, quarantine: RowQuarantine): KeptStore {
  const replace = database.query(`INSERT OR REPLACE INTO kept (name, document) VALUES (?, ?)`);
  const select = database.query<{ document: string }, [string]>(
    `SELECT document FROM kept WHERE name = ? AND length(document) <= ${maxLength}`,
  );
  return {
    async saveKept(name, document) {
      replace.run(name, JSON.stringify(document));
    },
    async loadKept(name, schema) {
      const row = select.get(name);
      return row === null ? null : quarantine.decode("kept", name, schema, columnValue(row.document));
    },
  };
}
