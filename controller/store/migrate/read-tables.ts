import type { Database } from "bun:sqlite";

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

/** Table of a store: its columns, and those of its primary key in order. */
export interface StoreTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
}

/** Tables that are of one store alone: of SQLite itself, and who leads. */
const ownTables = new Set(["sqlite_sequence", "lease"]);

/** Maximum rows and characters that are read at once. */
const pageRows = 1_000;
const pageLength = 4 * 1024 * 1024;

/** Tables of a store whose records are moved with it. */
export function tablesOf(database: Database): StoreTable[] {
  const names = database
    .query<{ name: string }, []>(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
    .all()
    .map(({ name }) => name)
    .filter((name) => !ownTables.has(name));
  return names.map((name) => {
    const columns = database
      .query<{ name: string; pk: number }, []>(`SELECT name, pk FROM pragma_table_info('${name}')`)
      .all();
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    return { name, columns: columns.map((column) => column.name), key: key.map((column) => column.name) };
  });
}

/** PostgreSQL has no text with a NUL. */
const clean = (value: unknown): Value =>
  typeof value === "string" ? value.replaceAll("\0", "\ufffd") : (value as Value);

/** Reads a table in the order of its key, page by page. @param after key of the row before the first; null: from the beginning */
export function* readPages(
  database: Database,
  { name, columns, key }: StoreTable,
  after: readonly Value[] | null,
): Generator<Row[]> {
  const names = key.map((column) => `"${column}"`).join();
  const selected = columns.map((column) => `"${column}"`).join();
  const page = (isFirst: boolean) =>
    database.query<Row, Value[]>(
      `SELECT ${selected} FROM "${name}" ${isFirst ? "" : `WHERE (${names}) > (${key.map(() => "?").join()})`}
       ORDER BY ${names} LIMIT ${pageRows}`,
    );
  let last = after;
  for (;;) {
    const rows: Row[] = [];
    let length = 0;
    for (const row of page(last === null).iterate(...(last ?? []))) {
      rows.push(Object.fromEntries(columns.map((column) => [column, clean(row[column])])));
      for (const column of columns) length += String(row[column] ?? "").length;
      if (length >= pageLength) break;
    }
    const newest = rows.at(-1);
    if (newest === undefined) return;
    yield rows;
    last = key.map((column) => newest[column] as Value);
  }
}
