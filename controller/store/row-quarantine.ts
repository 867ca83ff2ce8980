import type { Static, TSchema } from "@sinclair/typebox";
import { cleanText } from "#protocol/clean-text.ts";
import { decodeValue, parseJson } from "#protocol/codec.ts";

/** Rows of a table that can't be read, and why of one of them. */
export interface UnreadableRows {
  readonly table: string;
  readonly rows: number;
  readonly example: string;
}

/**
 * The one place where rows become values. A row that is not what its schema says is left where it is and left out: it costs neither the
 * start nor an answer. It is counted once however often it is read.
 */
export interface RowQuarantine {
  /** The row's value; null when it is not one of `schema`. */
  decode<T extends TSchema>(table: string, key: string, schema: T, value: unknown): Static<T> | null;
  /** Says that a row can't be read. */
  note(table: string, key: string, reason: string): void;
  report(): readonly UnreadableRows[];
}

/** No more rows of a table are told apart; beyond them they are only counted as often as they are read. */
const mostKeys = 10_000;

/** @param onNew is told of each row once. */
export function createRowQuarantine(onNew: (table: string, key: string, reason: string) => void): RowQuarantine {
  const tables = new Map<string, { readonly keys: Set<string>; beyond: number; readonly example: string }>();
  const quarantine: RowQuarantine = {
    decode(table, key, schema, value) {
      const decoded = decodeValue(schema, value);
      if (decoded.ok) return decoded.message;
      quarantine.note(table, key, decoded.reason);
      return null;
    },
    note(table, key, reason) {
      const shownKey = cleanText(key).slice(0, 200);
      let known = tables.get(table);
      if (known === undefined) {
        known = { keys: new Set(), beyond: 0, example: `${shownKey}: ${reason}` };
        tables.set(table, known);
      }
      if (known.keys.has(shownKey)) return;
      if (known.keys.size >= mostKeys) {
        known.beyond += 1;
        return;
      }
      known.keys.add(shownKey);
      onNew(table, shownKey, reason);
    },
    report: () =>
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
