import { join, resolve } from "node:path";
import { type Program, startProgram } from "../../../test/e2e/program.ts";

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
