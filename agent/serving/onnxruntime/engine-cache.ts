import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { EngineReport } from "./execution-provider.ts";

/** Times at which TensorRT's engines in a directory were written, by name. */
export type EngineFiles = ReadonlyMap<string, number>;

/** Lists engines; none when the directory does not exist yet. */
export function listEngines(directory: string): EngineFiles {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(".engine"));
    return new Map(names.map((name) => [name, statSync(join(directory, name)).mtimeMs]));
  } catch {
    return new Map();
  }
}

/** Compares two lists of engines: an engine whose file has not changed was read instead of built. */
export function compareEngines(before: EngineFiles, after: EngineFiles): NonNullable<EngineReport["engines"]> {
  const reused = [...after].filter(([name, writtenMs]) => before.get(name) === writtenMs).length;
  return { built: after.size - reused, reused };
}
