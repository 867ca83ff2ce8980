import { Database } from "bun:sqlite";
import { SQL } from "bun";

/** Tables that the check reads, with the columns that it needs. */
const tables = {
  minute: { agent_id: "TEXT", boot_id: "TEXT", seq: "INTEGER", minute_start_ms: "INTEGER", traffic: "TEXT" },
  set_aside: { agent_id: "TEXT", boot_id: "TEXT", seq: "INTEGER" },
  decision: { id: "INTEGER", kind: "TEXT", rule: "TEXT", inputs: "TEXT", outcome: "TEXT" },
  desired: { agent_id: "TEXT", document: "TEXT" },
} as const;

/** Copies a controller's records at a PostgreSQL server into an SQLite file, column by column, for a check that knows neither the program nor the server. */
export async function copyRecords(url: string, schema: string, path: string): Promise<void> {
  const sql = new SQL(url);
  const database = new Database(path, { create: true });
  try {
    for (const [table, columns] of Object.entries(tables)) {
      const names = Object.keys(columns);
      database.run(`CREATE TABLE ${table} (${Object.entries(columns).map((each) => each.join(" "))})`);
      const insert = database.query(`INSERT INTO ${table} VALUES (${names.map(() => "?")})`);
      const rows: unknown[][] = await sql
        .unsafe(`SELECT ${names.map((name) => `${name}::text`)} FROM ${schema}.${table}`)
        .values();
      database.transaction(() => {
        for (const row of rows) insert.run(...(row as string[]));
      })();
    }
  } finally {
    database.close();
    await sql.close({ timeout: 1 });
  }
}
