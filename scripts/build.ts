/** Compiles the program into one executable for each target. Usage: bun scripts/build.ts [--target x64|arm64|all] [--host] [--out DIR] [--level 1..19] */
import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { highestLevel, usualLevel } from "./build-compressed.ts";
import { type Architecture, architectures, buildExecutable } from "./build-executable.ts";
import { sourceTimeS } from "./source-time.ts";

const root = join(import.meta.dir, "..");

function targets(choice: string): readonly Architecture[] {
  if (choice === "all") return architectures;
  const found = architectures.filter((architecture) => architecture === choice);
  if (found.length === 0) throw new Error(`--target: expected x64, arm64 or all, got "${choice}"`);
  return found;
}

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "all" },
    host: { type: "boolean", default: false },
    out: { type: "string", default: join(root, "dist") },
    level: { type: "string", default: String(usualLevel) },
  },
});
const level = Number(values.level);
if (!Number.isInteger(level) || level < 1 || level > highestLevel)
  throw new Error(`--level: expected an integer from 1 to ${highestLevel}, got "${values.level}"`);
const releaseKeys = process.env["THORMESH_RELEASE_KEYS"] ?? "";
/** Sources without their history, as in a copy of a working tree, have no time: such an executable believes every clock. */
function knownTimeS(): number {
  const isKnown = process.env["SOURCE_DATE_EPOCH"] !== undefined || existsSync(join(root, ".git"));
  if (!isKnown)
    console.error("neither git nor SOURCE_DATE_EPOCH says when the sources were made: the executable does not know");
  return isKnown ? sourceTimeS(root) : 0;
}

const builtAtS = knownTimeS();
await mkdir(values.out, { recursive: true });
for (const architecture of targets(values.host ? process.arch : values.target)) {
  const startedMs = performance.now();
  const outfile = join(values.out, `thormesh-linux-${architecture}`);
  await buildExecutable(architecture, outfile, { level, releaseKeys, sourceTimeS: builtAtS });
  const megabytes = ((await stat(outfile)).size / 1e6).toFixed(0);
  console.error(`${outfile}: ${megabytes} MB in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}
