import type { Static, TSchema } from "@sinclair/typebox";
import { cleanText } from "#protocol/clean-text.ts";
import { decodeValue, parseJson } from "#protocol/codec.ts";

/** Rows of a table that can't be read, with the reason of one of them. */
export interface UnreadableRows {
  readonly table: string;
  readonly rows: number;
  readonly example: string;
}

/** Maximum damaged rows of a table that are distinguished; further ones are counted as often as they are read. */
const maxKeys = 10_000;

export type RowQuarantine = ReturnType<typeof createRowQuarantine>;

/**
 * Conversion of rows to values. A row that does not match its schema is left in place and skipped, so that it prevents neither the start
 * nor an answer. It is counted once however often it is read.
 * @param onNew is called once for each row.
 */
export function createRowQuarantine(onNew: (table: string, key: string, reason: string) => void) {
  const tables = new Map<string, { readonly keys: Set<string>; beyond: number; readonly example: string }>();
  const quarantine = {
    /** Returns the row's value; null when it does not match `schema`. */
    decode<T extends TSchema>(table: string, key: string, schema: T, value: unknown): Static<T> | null {
      const decoded = decodeValue(schema, value);
      if (decoded.ok) return decoded.message;
      quarantine.note(table, key, decoded.reason);
      return null;
    },
    /** Records a row that can't be read. */
    note(table: string, key: string, reason: string): void {
      const shownKey = cleanText(key).slice(0, 200);
      let known = tables.get(table);
      if (known === undefined) {
        known = { keys: new Set(), beyond: 0, example: `${shownKey}: ${reason}` };
        tables.set(table, known);
      }
      if (known.keys.has(shownKey)) return;
      if (known.keys.size >= maxKeys) {
        known.beyond += 1;
        return;
      }
      known.keys.add(shownKey);
      onNew(table, shownKey, reason);
    },
    report: (): readonly UnreadableRows[] =>
      [...tables].map(([table, { keys, beyond, example }]) => ({ table, rows: keys.size + beyond, example })),
  };
  return quarantine;
}

/** Value of a JSON column; undefined, which no schema accepts, when it is not JSON. */
export function columnValue(json: string | null): unknown {
  if (json === null) return null;
  try {
    return parseJson(json);
  } catch {
    return undefined;
  }
}

/** JSON for a column that may be NULL. */
export function toColumn(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}
