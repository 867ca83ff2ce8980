import { Database } from "bun:sqlite";
import { join } from "node:path";
import { SQL } from "bun";
import { createPostgres } from "../../../test/fakes/postgres.ts";
import type { FleetReport } from "./agent-processes.ts";

export const storeKinds = ["sqlite", "postgres"] as const;
export type StoreKind = (typeof storeKinds)[number];

/** Records of the controller that is measured. */
export interface BenchStore {
  /** Fields of the controller's configuration. */
  readonly config: object;
  readonly pids: () => readonly number[];
  /** Stored minutes of each boot. */
  minutesByBoot(): Promise<ReadonlyMap<string, number>>;
  /** Space of the minutes, with their indices. */
  minuteBytes(): Promise<number>;
  dispose(): Promise<void>;
}

interface BootRows {
  readonly bootId: string;
  readonly seqs: number;
}

const byBoot = (rows: readonly BootRows[]) => new Map(rows.map(({ bootId, seqs }) => [bootId, seqs]));

/** Records in a controller's state directory. */
export function sqliteStore(stateDir: string): BenchStore {
  const ask = <Row>(text: string): Row[] => {
    const database = new Database(join(stateDir, "controller.db"), { readonly: true });
    try {
      return database.query<Row, []>(text).all();
    } finally {
      database.close();
    }
  };
  return {
    config: {},
    pids: () => [],
    minutesByBoot: async () => byBoot(ask("SELECT boot_id AS bootId, count(*) AS seqs FROM minute GROUP BY boot_id")),
    // Where it was built without the table of sizes, the file's stands for it.
    minuteBytes: async () =>
      ask<{ bytes: number }>("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")[0]
        ?.bytes ?? 0,
    dispose: async () => undefined,
  };
}

/** Records in a PostgreSQL of Debian's, with its defaults. */
export async function postgresStore(): Promise<BenchStore> {
  const server = await createPostgres([]);
  const sql = new SQL(server.url);
  return {
    config: { store: { url: server.url, schema: "bench" } },
    pids: () => [server.pid],
    minutesByBoot: async () =>
      byBoot([
        ...(await sql`SELECT boot_id AS "bootId", count(*)::float8 AS seqs FROM bench.minute GROUP BY boot_id`),
      ] as BootRows[]),
    async minuteBytes() {
      const [row] = (await sql`SELECT sum(pg_total_relation_size(inhrelid))::float8 AS bytes FROM pg_inherits
        WHERE inhparent = 'bench.minute'::regclass`) as { bytes: number }[];
      return row?.bytes ?? 0;
    },
    async dispose() {
      await sql.close({ timeout: 1 });
      await server.dispose();
    },
  };
}

export interface StoredMinutes {
  readonly rows: number;
  readonly lost: number;
  /** Rows under a name that no agent gave. */
  readonly unknown: number;
}

/** Compares what agents ended with what a store holds: a row each, as it has no place for a repeat. */
export async function compareStored(
  store: Pick<BenchStore, "minutesByBoot">,
  { boots }: Pick<FleetReport, "boots">,
): Promise<StoredMinutes> {
  const stored = await store.minutesByBoot();
  const rows = [...stored.values()].reduce((sum, seqs) => sum + seqs, 0);
  let [lost, known] = [0, 0];
  for (const { bootId, minutes } of boots) {
    const seqs = stored.get(bootId) ?? 0;
    known += seqs;
    lost += Math.max(0, minutes - seqs);
  }
  return { rows, lost, unknown: rows - known };
}
