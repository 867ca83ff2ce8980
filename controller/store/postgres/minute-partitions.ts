import { dayMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import type { PostgresDatabase, Statements } from "./postgres-database.ts";

/** Days ahead for which the table has room before a minute comes. */
const daysAhead = 2;
/** Rows of a partition up to which they are counted one by one. */
const countedRows = 1_000_000;
const prefix = "minute_";

interface Partition {
  readonly name: string;
  readonly startMs: number;
}

const dayOf = (timeMs: number) => Math.floor(timeMs / dayMs);
const nameOf = (day: number) => `${prefix}${new Date(day * dayMs).toISOString().slice(0, 10).replaceAll("-", "")}`;

function startOf(name: string): number {
  const date = name.slice(prefix.length);
  return Date.UTC(Number(date.slice(0, 4)), Number(date.slice(4, 6)) - 1, Number(date.slice(6)));
}

/** Partitions of the minutes, one for each day of UTC: made before they are needed, and dropped whole. */
export class MinutePartitions {
  readonly #database: PostgresDatabase;
  /** Days that are known to have a partition. */
  #days = new Set<number>();

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  /** Makes the partitions of these times within a transaction; returns what to call once it is committed. */
  async ensure(statements: Statements, timesMs: Iterable<number>): Promise<() => void> {
    const missing = new Set([...timesMs].map(dayOf).filter((day) => !this.#days.has(day)));
    for (const day of missing) {
      await statements.run(
        `CREATE TABLE IF NOT EXISTS ${nameOf(day)} PARTITION OF minute FOR VALUES FROM (${day * dayMs}) TO (${(day + 1) * dayMs})`,
      );
    }
    return () => {
      for (const day of missing) this.#days.add(day);
    };
  }

  async #list(): Promise<Partition[]> {
    const rows = await this.#database.rows<{ readonly name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'minute'::regclass ORDER BY c.relname`,
    );
    return rows.map(({ name }) => ({ name, startMs: startOf(name) }));
  }

  async #drop({ name, startMs }: Partition): Promise<number> {
    const rows = await this.#count(name);
    // Forgotten first: a minute of that day that comes meanwhile makes it anew.
    this.#days.delete(dayOf(startMs));
    await this.#database.run(`DROP TABLE ${name}`);
    // One that came before the end went with it, and so must what it noted.
    this.#days.delete(dayOf(startMs));
    return rows;
  }

  /** Minutes of a partition; of a large one about, as the server knows it: counting millions takes longer than a statement may. */
  async #count(name: string): Promise<number> {
    const [known] = await this.#database.rows<{ readonly rows: number }>(
      `SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = '${name}'::regclass`,
    );
    if ((known?.rows ?? 0) > countedRows) return Math.round(known?.rows ?? 0);
    const [counted] = await this.#database.rows<{ readonly rows: number }>(
      `SELECT count(*)::float8 AS rows FROM (SELECT 1 FROM ${name} LIMIT ${countedRows}) AS counted`,
    );
    return counted?.rows ?? 0;
  }

  /**
   * Drops the days that end by `beforeMs` or lie a day and more ahead of `nowMs` and of the last decision, and makes those of the days to come.
   * Resolves with the number of minutes that were in them, of large days about.
   */
  async prune(beforeMs: number, nowMs: number): Promise<number> {
    const [decided] = await this.#database.rows<{ readonly atMs: number | null }>(
      `SELECT max(last_at_ms)::float8 AS "atMs" FROM decision WHERE last_at_ms <= ${bounds.timeMs}`,
    );
    const newestMs = Math.max(nowMs, decided?.atMs ?? 0);
    let removed = 0;
    for (const partition of await this.#list()) {
      const isOver = partition.startMs + dayMs <= beforeMs;
      if (isOver || partition.startMs >= newestMs + daysAhead * dayMs) removed += await this.#drop(partition);
    }
    const coming = Array.from({ length: daysAhead }, (_, days) => nowMs + days * dayMs);
    const done = await this.#database.write((statements) => this.ensure(statements, coming));
    done();
    return removed;
  }

  /** Drops the oldest day; null when there is none with minutes. */
  async dropOldest(): Promise<number | null> {
    for (const partition of await this.#list()) {
      const removed = await this.#drop(partition);
      if (removed > 0) return removed;
    }
    return null;
  }
}
