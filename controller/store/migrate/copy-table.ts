import type { Database } from "bun:sqlite";
import type { MinutePartitions } from "../postgres/minute-partitions.ts";
import type { ArrayType, PostgresDatabase, Statements } from "../postgres/postgres-database.ts";
import { columnValue } from "../row-quarantine.ts";
import { type Row, readPages, type StoreTable, type Value } from "./read-tables.ts";

/** Number of rows and SHA-256 over all of them in the order of their keys. */
export interface Fingerprint {
  readonly rows: number;
  readonly hash: string;
}

/** Columns that only PostgreSQL has, from the others of their row. */
const derived: Readonly<Record<string, (row: Row) => Record<string, Value | string[]>>> = {
  minute: ({ traffic, power }) => ({
    observed_ms: numberIn(traffic, "observedMs"),
    measured_ms: numberIn(power, "measuredMs"),
  }),
  set_aside: ({ document }) => {
    const value = columnValue(document as string) as { traffic?: { minuteStartMs?: unknown } } | undefined | null;
    const startMs = value?.traffic?.minuteStartMs;
    return { minute_start_ms: typeof startMs === "number" ? startMs : null };
  },
  decision: ({ agents }) => {
    const ids = columnValue(agents as string);
    return { agent_ids: Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [] };
  },
};

function numberIn(json: Value | undefined, field: string): number {
  const value = (columnValue((json ?? null) as string | null) as Record<string, unknown> | undefined | null)?.[field];
  return typeof value === "number" ? value : 0;
}

/** Types of a table's columns at the server. */
async function columnTypes(database: PostgresDatabase, table: string): Promise<Map<string, string>> {
  const rows = await database.rows<{ readonly name: string; readonly type: string }>(
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns
     WHERE table_schema = current_schema() AND table_name = $1`,
    [table],
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

const arrayTypes: Readonly<Record<string, ArrayType>> = {
  bigint: "INT8",
  "double precision": "FLOAT8",
  boolean: "BOOLEAN",
  text: "TEXT",
};

const valueFor = (type: string | undefined, value: Value | undefined) =>
  type === "boolean" ? value === 1 : (value ?? null);

/** Inserts rows, those that are there already left out. */
async function insertRows(
  statements: Statements,
  table: StoreTable,
  types: ReadonlyMap<string, string>,
  rows: readonly Row[],
) {
  const full = rows.map((row) => ({ ...row, ...derived[table.name]?.(row) }) as Record<string, Value | string[]>);
  const names = Object.keys(full[0] ?? {});
  const lists = names.filter((name) => types.get(name) === "ARRAY");
  const plain = names.filter((name) => !lists.includes(name));
  if (lists.length > 0) {
    // An array of arrays has no form for lists of different lengths.
    for (const row of full)
      await statements.run(
        `INSERT INTO "${table.name}" (${[...plain, ...lists].map((name) => `"${name}"`).join()})
         VALUES (${[...plain, ...lists].map((_, index) => `$${index + 1}`).join()}) ON CONFLICT DO NOTHING`,
        [
          ...plain.map((name) => valueFor(types.get(name), row[name] as Value)),
          ...lists.map((name) => statements.array(row[name] as string[], "TEXT")),
        ],
      );
    return;
  }
  const typeOf = (name: string): ArrayType => {
    const type = arrayTypes[types.get(name) ?? ""];
    if (type === undefined) throw new Error(`column ${table.name}.${name} has no twin at the server. This is a bug.`);
    return type;
  };
  await statements.run(
    `INSERT INTO "${table.name}" (${plain.map((name) => `"${name}"`).join()})
     SELECT * FROM unnest(${plain.map((name, index) => `$${index + 1}::${typeOf(name)}[]`).join()}) ON CONFLICT DO NOTHING`,
    plain.map((name) =>
      statements.array(
        full.map((row) => valueFor(types.get(name), row[name] as Value)),
        typeOf(name),
      ),
    ),
  );
}

/** Key of the last row at the server; null: there is none. */
async function lastKey(database: PostgresDatabase, { name, key }: StoreTable, types: ReadonlyMap<string, string>) {
  const selected = key.map((column) =>
    types.get(column) === "bigint" ? `"${column}"::float8 AS "${column}"` : `"${column}"`,
  );
  const [row] = await database.rows<Row>(
    `SELECT ${selected.join()} FROM "${name}" ORDER BY ${key.map((column) => `"${name}"."${column}" DESC`).join()} LIMIT 1`,
  );
  return row === undefined ? null : key.map((column) => row[column] as Value);
}

/**
 * Copies the rows of a table behind the last one that is there.
 * @param onRows called with the number of rows of each page
 */
export async function copyTable(
  source: Database,
  target: PostgresDatabase,
  table: StoreTable,
  partitions: Pick<MinutePartitions, "ensure">,
  onRows: (rows: number) => void,
): Promise<void> {
  const types = await columnTypes(target, table.name);
  for (const rows of readPages(source, table, await lastKey(target, table, types))) {
    const done = await target.write(async (statements) => {
      const times = table.name === "minute" ? rows.map((row) => row["minute_start_ms"] as number) : [];
      const made = await partitions.ensure(statements, times);
      await insertRows(statements, table, types, rows);
      return made;
    });
    done();
    onRows(rows.length);
  }
}

const lineOf = (table: StoreTable, row: Row) => `${JSON.stringify(table.columns.map((column) => row[column]))}\n`;

/** Fingerprint of a table of the source. */
export function fingerprintOfSource(source: Database, table: StoreTable): Fingerprint {
  const hash = new Bun.CryptoHasher("sha256");
  let count = 0;
  for (const rows of readPages(source, table, null)) {
    for (const row of rows) hash.update(lineOf(table, row));
    count += rows.length;
  }
  return { rows: count, hash: hash.digest("hex") };
}

/** Fingerprint of a table at the server: the same for the same content. */
export async function fingerprintOfTarget(target: PostgresDatabase, table: StoreTable): Promise<Fingerprint> {
  const types = await columnTypes(target, table.name);
  const casts: Readonly<Record<string, string>> = { bigint: "::float8", boolean: "::int::float8" };
  const selected = table.columns.map((name) => `"${name}"${casts[types.get(name) ?? ""] ?? ""} AS "${name}"`).join();
  const [names, order] = [
    table.key.map((name) => `"${table.name}"."${name}"`).join(),
    table.key.map((name) => `"${table.name}"."${name}"`).join(),
  ];
  const hash = new Bun.CryptoHasher("sha256");
  let count = 0;
  let after: Value[] | null = null;
  for (;;) {
    const where: string =
      after === null ? "" : `WHERE (${names}) > (${table.key.map((_, index) => `$${index + 1}`).join()})`;
    const rows: Row[] = await target.rows<Row>(
      `SELECT ${selected} FROM "${table.name}" ${where} ORDER BY ${order} LIMIT 500`,
      after ?? [],
    );
    for (const row of rows) hash.update(lineOf(table, row));
    count += rows.length;
    const newest = rows.at(-1);
    if (newest === undefined) return { rows: count, hash: hash.digest("hex") };
    after = table.key.map((name) => newest[name] as Value);
  }
}
