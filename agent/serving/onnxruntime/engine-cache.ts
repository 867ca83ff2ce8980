import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { EngineReport } from "./execution-provider.ts";

/** TensorRT's engines in a directory, by name, with when each was written. */
export type EngineFiles = ReadonlyMap<string, number>;

/** Nothing where there is no such directory yet. */
export function listEngines(directory: string): EngineFiles {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(".engine"));
    return new Map(names.map((name) => [name, statSync(join(directory, name)).mtimeMs]));
  } catch {
    return new Map();
  }
}

/** What became of the engines between two looks at their directory: an engine whose file is as before was read instead of built. */
export function compareEngines(before: EngineFiles, after: EngineFiles): NonNullable<EngineReport["engines"]> {
  const reused = [...after].filter(([name, writtenMs]) => before.get(name) === writtenMs).length;
  return { built: after.size - reused, reused };
}
