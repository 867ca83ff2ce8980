import { Database, type SQLQueryBindings } from "bun:sqlite";
import { forecastMadeTable } from "#forecast/accuracy/forecast-table.ts";
import { type LiveAccuracy, StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { PostgresDatabase, Statements } from "./postgres-database.ts";

const columnTypes = {
  start_ms: "INT8",
  made_at_ms: "INT8",
  model: "TEXT",
  step_ms: "INT8",
  level_qps: "FLOAT8",
  qps: "TEXT",
  upper_peak_qps: "FLOAT8",
  absolute_error: "FLOAT8",
  signed_error: "FLOAT8",
  actual: "FLOAT8",
  peak_forecast_qps: "FLOAT8",
  peak_actual_qps: "FLOAT8",
  covered: "INT8",
  rise: "TEXT",
  onset_ms: "INT8",
} as const;
type Column = keyof typeof columnTypes;
type Row = Record<Column, string | number | null>;
const columns = Object.keys(columnTypes) as Column[];

/** Records which forecasts were made, scored or removed, until the server has them. */
const changeLog = `CREATE TABLE changed (start_ms INTEGER PRIMARY KEY);
   ${["INSERT", "UPDATE", "DELETE"]
     .map(
       (event) => `CREATE TRIGGER on_${event} AFTER ${event} ON forecast_made BEGIN
         INSERT OR IGNORE INTO changed VALUES (${event === "DELETE" ? "old" : "new"}.start_ms); END;`,
     )
     .join("\n")}`;

async function save(statements: Statements, rows: readonly Row[], removed: readonly number[]): Promise<void> {
  await statements.run(`DELETE FROM forecast_made WHERE start_ms = ANY ($1::int8[])`, [
    statements.array([...removed, ...rows.map((row) => row.start_ms as number)], "INT8"),
  ]);
  const parameters = columns.map((column, index) => `$${index + 1}::${columnTypes[column]}[]`);
  await statements.run(
    `INSERT INTO forecast_made (${columns.join()}) SELECT * FROM unnest(${parameters.join()})`,
    columns.map((column) =>
      statements.array(
        rows.map((row) => row[column]),
        columnTypes[column],
      ),
    ),
  );
}

/**
 * Accuracy of the forecasts on a database in memory, loaded from the server and written there behind: it is asked many times a second, and holds a
 * few rows an hour. What can't be written waits.
 */
export async function openMirroredAccuracy(
  server: PostgresDatabase,
  log: Logger,
  onUnreadable: (key: string, reason: string) => void,
): Promise<LiveAccuracy> {
  const database = new Database(":memory:", { strict: true });
  database.run(forecastMadeTable);
  const insert = database.query(
    `INSERT INTO forecast_made (${columns.join()}) VALUES (${columns.map((column) => `$${column}`).join()})`,
  );
  const selected = columns.map((column) =>
    columnTypes[column] === "INT8" ? `${column}::float8 AS ${column}` : column,
  );
  const stored = await server.rows<Record<Column, SQLQueryBindings>>(`SELECT ${selected.join()} FROM forecast_made`);
  database.transaction(() => {
    for (const row of stored) insert.run(row as never);
  })();
  database.run(changeLog);
  const accuracy = new StoredAccuracy(database, undefined, onUnreadable);
  const changed = database.query<{ start_ms: number }, []>(`SELECT start_ms FROM changed`);
  const rowOf = database.query<Row, [number]>(`SELECT ${columns.join()} FROM forecast_made WHERE start_ms = ?`);
  const note = database.query(`INSERT OR IGNORE INTO changed VALUES (?)`);
  const forget = database.query(`DELETE FROM changed WHERE start_ms = ?`);

  let isWriting = false;
  /** Writes what has changed; false when the server did not take it. */
  const write = async (): Promise<boolean> => {
    const ids = changed.all().map((row) => row.start_ms);
    const rows = ids.flatMap((startMs) => rowOf.get(startMs) ?? []);
    const kept = new Set(rows.map((row) => row.start_ms));
    // Those that change meanwhile are recorded again.
    for (const startMs of ids) forget.run(startMs);
    try {
      const removed = ids.filter((startMs) => !kept.has(startMs));
      await server.write((statements) => save(statements, rows, removed));
      return true;
    } catch (error) {
      for (const startMs of ids) note.run(startMs);
      log.warn({ err: describeError(error) }, "the forecasts' outcomes wait for the store");
      return false;
    }
  };
  const writeBehind = async () => {
    if (isWriting) return;
    isWriting = true;
    while (changed.all().length > 0 && (await write()));
    isWriting = false;
  };
  return {
    observe(report, history) {
      accuracy.observe(report, history);
      void writeBehind();
    },
    figures: (windowMs, nowMs) => accuracy.figures(windowMs, nowMs),
    peaks: (fromMs, toMs) => accuracy.peaks(fromMs, toMs),
    prune(beforeMs) {
      accuracy.prune(beforeMs);
      void writeBehind();
    },
  };
}
