import type { Database } from "bun:sqlite";
import { UsageError } from "#platform/errors.ts";
import { MinutePartitions } from "../postgres/minute-partitions.ts";
import type { PostgresDatabase } from "../postgres/postgres-database.ts";
import { copyTable, type Fingerprint, fingerprintOfSource, fingerprintOfTarget } from "./copy-table.ts";
import { type StoreTable, tablesOf } from "./read-tables.ts";

/** Outcome of one table. */
export interface MovedTable extends Fingerprint {
  readonly table: string;
}

export interface MigrateStoreParts {
  readonly source: Database;
  /** Names the source, so that a copy that was broken off is gone on with, and no other store is written over. */
  readonly sourceId: string;
  readonly target: PostgresDatabase;
  readonly onRows: (table: string, rows: number) => void;
}

interface Mark {
  readonly source: string;
  readonly isComplete: boolean;
}

async function readMark(target: PostgresDatabase): Promise<Mark | null> {
  const [mark] = await target.rows<Mark>(`SELECT source, is_complete AS "isComplete" FROM migrated_from`);
  return mark ?? null;
}

/** @throws UsageError for a schema whose copy was begun and not ended: a controller would lead without its records */
export async function assertNoOpenCopy(target: PostgresDatabase): Promise<void> {
  const mark = await readMark(target);
  if (mark !== null && !mark.isComplete)
    throw new UsageError(
      `store.schema: the copy of a store into ${target.schema} is not complete: run thormesh controller migrate-store again`,
    );
}

/** Compares a copy that has ended. @throws UsageError where it is no longer the same */
async function compare({ source, target }: MigrateStoreParts, tables: readonly StoreTable[]): Promise<MovedTable[]> {
  const moved: MovedTable[] = [];
  for (const table of tables) {
    const [expected, found] = [fingerprintOfSource(source, table), await fingerprintOfTarget(target, table)];
    if (found.hash !== expected.hash)
      throw new UsageError(
        `store.schema: this store was already copied into ${target.schema}, and one of the two has been used since: table ${table.name} differs`,
      );
    moved.push({ table: table.name, ...found });
  }
  return moved;
}

async function assertFree({ target, sourceId }: MigrateStoreParts, tables: readonly StoreTable[]): Promise<void> {
  const mark = await readMark(target);
  if (mark?.source === sourceId && !mark.isComplete) return;
  for (const { name } of tables)
    if ((await target.rows(`SELECT 1 FROM "${name}" LIMIT 1`)).length > 0)
      throw new UsageError(
        `store.schema: expected an empty schema, but ${target.schema} has records: choose another one`,
      );
  await target.run(
    `INSERT INTO migrated_from (id, source, is_complete) VALUES (1, $1, false)
     ON CONFLICT (id) DO UPDATE SET source = excluded.source, is_complete = false`,
    [sourceId],
  );
}

/** Copies a table and compares it; what is of an earlier try and no longer as in the source is copied anew. */
async function moveTable(
  parts: MigrateStoreParts,
  table: StoreTable,
  partitions: MinutePartitions,
): Promise<MovedTable> {
  const { source, target, onRows } = parts;
  const expected = fingerprintOfSource(source, table);
  for (const isAnew of [false, true]) {
    if (isAnew) await target.run(`TRUNCATE "${table.name}"`);
    await copyTable(source, target, table, partitions, (rows) => onRows(table.name, rows));
    const found = await fingerprintOfTarget(target, table);
    if (found.rows === expected.rows && found.hash === expected.hash) return { table: table.name, ...found };
  }
  throw new Error(`the copy of table ${table.name} differs from its source`);
}

/**
 * Copies an SQLite store that no controller uses into an empty schema and compares each table by its number of rows and a hash over all of them. Again
 * after it was broken off: continues; again after it has ended: compares.
 * @throws UsageError for a schema with other records
 */
export async function migrateStore(parts: MigrateStoreParts): Promise<MovedTable[]> {
  const { source, target } = parts;
  const tables = tablesOf(source);
  const mark = await readMark(target);
  if (mark?.source === parts.sourceId && mark.isComplete) return compare(parts, tables);
  await assertFree(parts, tables);
  const partitions = new MinutePartitions(target);
  const moved: MovedTable[] = [];
  for (const table of tables) moved.push(await moveTable(parts, table, partitions));
  const highest = source.query<{ seq: number }, []>(`SELECT seq FROM sqlite_sequence WHERE name = 'decision'`).get();
  // Ids count up from the highest that ever was.
  await target.rows(`SELECT setval(pg_get_serial_sequence('decision', 'id'), greatest(1, $1::int8))`, [
    highest?.seq ?? 1,
  ]);
  await target.run(`UPDATE migrated_from SET is_complete = true`);
  return moved;
}
