/**
 * Checks the line coverage of the whole program, files that no test ever loaded included (they count as uncovered by their non-blank,
 * non-comment lines). Usage: bun scripts/check-coverage.ts coverage/lcov.info
 */
import { join } from "node:path";

/** Lowest share of covered lines of all folders together. */
const totalThreshold = 0.92;

/**
 * Lowest share of covered lines, per folder. Code that runs only in child processes (workers, commands that tests start as programs) is
 * exercised by the end-to-end tests and invisible here, hence the lower bars of `cli`, `tools` and `agent`.
 */
const thresholds: Readonly<Record<string, number>> = {
  platform: 0.95,
  protocol: 0.95,
  forecast: 0.93,
  agent: 0.94,
  controller: 0.95,
  tools: 0.68,
  cli: 0.62,
};

const root = join(import.meta.dir, "..");

async function coveredLines(lcovPath: string): Promise<Map<string, { found: number; hit: number }>> {
  const files = new Map<string, { found: number; hit: number }>();
  let current = { found: 0, hit: 0 };
  for (const line of (await Bun.file(lcovPath).text()).split("\n")) {
    if (line.startsWith("SF:")) {
      current = { found: 0, hit: 0 };
      files.set(line.slice(3), current);
    } else if (line.startsWith("LF:")) current.found = Number(line.slice(3));
    else if (line.startsWith("LH:")) current.hit = Number(line.slice(3));
  }
  return files;
}

function linesOfCode(source: string): number {
  return source.split("\n").filter((line) => line.trim() !== "" && !/^\s*(\/\/|\/?\*)/.test(line)).length;
}

const [lcovPath] = process.argv.slice(2);
if (lcovPath === undefined) throw new Error("usage: bun scripts/check-coverage.ts LCOV_FILE");
const covered = await coveredLines(lcovPath);
let failed = false;
function report(name: string, found: number, hit: number, threshold: number, note = ""): void {
  const share = found === 0 ? 1 : hit / found;
  const passed = share >= threshold;
  failed ||= !passed;
  console.log(
    `${passed ? "ok  " : "FAIL"} ${name}: ${(share * 100).toFixed(1)} % of ${found} lines (at least ${(threshold * 100).toFixed(0)} %)${note}`,
  );
}

let totalFound = 0;
let totalHit = 0;
for (const [folder, threshold] of Object.entries(thresholds)) {
  let found = 0;
  let hit = 0;
  const missing: string[] = [];
  for await (const file of new Bun.Glob(`${folder}/**/*.ts`).scan(root)) {
    if (file.endsWith(".d.ts")) continue;
    const lines = covered.get(file);
    if (lines === undefined) {
      const source = await Bun.file(join(root, file)).text();
      // Files with types only have nothing to run.
      if (!/^(export )?(async )?(function|const|class|let)\b/m.test(source)) continue;
      found += linesOfCode(source);
      missing.push(file);
    } else {
      found += lines.found;
      hit += lines.hit;
    }
  }
  totalFound += found;
  totalHit += hit;
  const note = missing.length === 0 ? "" : `; never loaded by a test: ${missing.join(", ")}`;
  report(folder, found, hit, threshold, note);
}
report("together", totalFound, totalHit, totalThreshold);
process.exit(failed ? 1 : 0);
