import { Database } from "bun:sqlite";
import { join, resolve } from "node:path";
import { type Program, startProgram } from "../../../test/e2e/program.ts";
import type { FleetReport } from "./agent-processes.ts";

/** The controller that is measured, on ports and records that outlive a restart. */
export interface BenchController {
  readonly api: string;
  readonly pid: number;
  start(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<void>;
  log(): string;
}

export async function createBenchController(given: {
  readonly directory: string;
  readonly config: object;
  /** Executable; null: the sources. */
  readonly binary: string | null;
  /** Options of Bun, e.g. those of its profiler; only for the sources. */
  readonly bunOptions: readonly string[];
}): Promise<BenchController> {
  const { directory, config, binary, bunOptions } = given;
  let program: Program | undefined;
  let api = "";
  const main = join(import.meta.dir, "..", "..", "..", "main.ts");
  const command = binary === null ? [process.execPath, ...bunOptions, main] : [resolve(binary)];
  const path = join(directory, "controller.json");
  await Bun.write(path, JSON.stringify(config));
  return {
    get api() {
      return api;
    },
    get pid() {
      return program?.child.pid ?? 0;
    },
    async start() {
      program = startProgram(["controller", "--config", path], directory, {}, command);
      const { url } = JSON.parse(await program.untilLogged('"controller started"')) as { url: string };
      api = url;
    },
    async stop(signal) {
      await program?.stop(signal);
    },
    log: () => program?.log() ?? "",
  };
}

export interface StoredMinutes {
  readonly rows: number;
  readonly lost: number;
  /** Rows under a name that no agent gave. */
  readonly unknown: number;
}

/** Compares what agents ended with what a controller's store holds: a row each, as the store has no place for a repeat. */
export function compareStored(stateDir: string, { boots }: Pick<FleetReport, "boots">): StoredMinutes {
  const database = new Database(join(stateDir, "controller.db"), { readonly: true });
  try {
    const stored = new Map<string, number>();
    let rows = 0;
    for (const { bootId, seqs } of database
      .query<{ bootId: string; seqs: number }, []>(
        "SELECT boot_id AS bootId, count(*) AS seqs FROM minute GROUP BY boot_id",
      )
      .all()) {
      stored.set(bootId, seqs);
      rows += seqs;
    }
    let lost = 0;
    let known = 0;
    for (const { bootId, minutes } of boots) {
      const seqs = stored.get(bootId) ?? 0;
      known += seqs;
      lost += Math.max(0, minutes - seqs);
    }
    return { rows, lost, unknown: rows - known };
  } finally {
    database.close();
  }
}
