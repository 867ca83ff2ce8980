import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findMutants, type Mutant, parseSources } from "./find-mutants.ts";
import { testsByDistance } from "./nearest-tests.ts";

/** Large folders that tests only read: linked into the copy. */
const linked = ["node_modules", ".cache", "dist", "models"];
/** Mutants needed before the score can fail. */
const minMutantsJudged = 20;

interface Placed extends Mutant {
  readonly file: string;
}
type Outcome = "killed" | "timed out" | "survived";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    root: { type: "string", default: join(import.meta.dir, "../..") },
    changed: { type: "string" },
    tests: { type: "string", default: "4" },
    mutants: { type: "string", default: "Infinity" },
    seconds: { type: "string", default: "Infinity" },
    "min-score": { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
});
const root = resolve(values.root);
const startedMs = performance.now();
const secondsPassed = () => (performance.now() - startedMs) / 1000;
const short = (text: string) => text.replaceAll(/\s+/g, " ").slice(0, 80);
/** Sort key that mixes a file's mutants, the same way each time: a part of them represents all. */
const mixed = ({ start, after }: Mutant) => Bun.hash.crc32(`${start} ${after}`);
const say = (text: string) => (values.json ? console.error(text) : console.log(text));

const runOf = (counts: Record<Outcome, number>) => counts.killed + counts["timed out"] + counts.survived;

function git(...command: string[]): string[] {
  const { stdout, stderr, success } = Bun.spawnSync(["git", ...command], { cwd: root });
  if (!success) throw new Error(`git ${command[0]}: ${stderr.toString().trim()}`);
  return stdout.toString().split("\n").filter(Boolean);
}

/** Returns the line numbers of a file that changed since a commit. */
function changedLines(file: string, base: string): Set<number> {
  const lines = new Set<number>();
  for (const line of git("diff", "--unified=0", base, "--", file)) {
    const [, start, count = "1"] = /^@@ .* \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
    for (let offset = 0; start !== undefined && offset < Number(count); offset += 1) lines.add(Number(start) + offset);
  }
  return lines;
}

if (
  values.changed !== undefined &&
  !Bun.spawnSync(["git", "cat-file", "-e", `${values.changed}^{commit}`], { cwd: root }).success
) {
  console.error(`there is no commit ${values.changed} to compare with`);
  process.exit(3);
}
const tracked = git("ls-files", "--cached", "--others", "--exclude-standard");
const testsOf = await testsByDistance(
  root,
  tracked.filter((path) => Bun.file(join(root, path)).size > 0),
);

function filesToMutate(): string[] {
  if (positionals.length > 0) return positionals.map((path) => relative(root, resolve(path)));
  if (values.changed === undefined) throw new Error("usage: scripts/mutate FILE… [--changed BASE]");
  const isDecision = (path: string) => basename(path).startsWith("decide-");
  return git("diff", "--name-only", "--diff-filter=d", values.changed)
    .filter((path) => /^(agent|controller|forecast|platform|protocol)\/.*(?<!\.d)\.ts$/.test(path))
    .filter((path) => isDecision(path) || (testsOf(path)[0]?.distance ?? Infinity) <= 1)
    .sort((one, other) => Number(isDecision(other)) - Number(isDecision(one)));
}

const files = filesToMutate();
const copy = await mkdtemp(join(tmpdir(), "thormesh-mutate-"));
let running: Bun.Subprocess | undefined;
async function leave(code: number): Promise<never> {
  if (running !== undefined) endGroup(running.pid);
  await rm(copy, { recursive: true, force: true });
  process.exit(code);
}
process.once("SIGINT", () => leave(130));
process.once("SIGTERM", () => leave(143));

interface Run {
  readonly outcome: Outcome;
  readonly cpuS: number;
  readonly wallS: number;
}

/** Runs a test file in the copy, and ends it and its children after `maxS` of CPU time or on the clock. */
async function runTest(test: string, maxS: { readonly cpu: number; readonly wall: number }): Promise<Run> {
  const command = [process.execPath, "test", "--isolate", "--bail", "--timeout", "300000", `./${test}`];
  const begunS = secondsPassed();
  const child = Bun.spawn(
    ["sh", "-c", 'ulimit -t "$1"; shift; exec "$@"', "limited", String(Math.ceil(maxS.cpu)), ...command],
    {
      cwd: copy,
      stdout: "ignore",
      stderr: "ignore",
      detached: true,
      timeout: Math.ceil(maxS.wall * 1000),
      killSignal: "SIGKILL",
    },
  );
  running = child;
  const code = await child.exited;
  endGroup(child.pid);
  const cpuS = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  const outcome = code === 0 ? "survived" : child.signalCode === null ? "killed" : "timed out";
  return { outcome, cpuS, wallS: secondsPassed() - begunS };
}

/** Ends what a test left running. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing was left.
  }
}

async function copyTree(): Promise<void> {
  for (const path of tracked.filter((path) => !linked.includes(path.split("/")[0] as string))) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await cp(join(root, path), join(copy, path)).catch(() => undefined); // deleted, and not yet in git
  }
  for (const folder of linked) await symlink(join(root, folder), join(copy, folder));
}

/** The last run of each test without a mutant. */
const unmutated = new Map<string, Run>();

async function measure(test: string): Promise<Run> {
  const run = await runTest(test, { cpu: 300, wall: 600 });
  unmutated.set(test, run);
  return run;
}

async function usableTests(file: string): Promise<string[]> {
  const nearest = testsOf(file).slice(0, Number(values.tests));
  for (const { test } of nearest.filter(({ test }) => !unmutated.has(test))) {
    if ((await measure(test)).outcome !== "survived") say(`${test} fails unmutated and is left out`);
  }
  return nearest.map(({ test }) => test).filter((test) => unmutated.get(test)?.outcome === "survived");
}

const limitS = (seconds: number) => 3 * seconds + 2;

async function runMutant(mutant: Placed, source: string, test: string): Promise<Outcome> {
  const { cpuS, wallS } = unmutated.get(test) as Run;
  const place = join(copy, mutant.file);
  await Bun.write(place, source.slice(0, mutant.start) + mutant.after + source.slice(mutant.end));
  const { outcome } = await runTest(test, { cpu: limitS(cpuS), wall: limitS(wallS) }).finally(() =>
    Bun.write(place, source),
  );
  // A machine that became slower looks like a mutant that hangs.
  const isSlower = outcome === "timed out" && (await measure(test)).wallS > limitS(wallS) / 2;
  return isSlower ? await runMutant(mutant, source, test) : outcome;
}

async function judge(mutant: Placed, source: string, tests: readonly string[]): Promise<Outcome> {
  for (const test of tests) {
    const outcome = await runMutant(mutant, source, test);
    if (outcome !== "survived") return outcome;
  }
  return "survived";
}

try {
  await copyTree();
  const parsed = await parseSources(files.map((file) => join(root, file)));
  const tests: Record<string, string[]> = {};
  const excused: { file: string; line: number; reason: string }[] = [];
  const survivors: Placed[] = [];
  const counts: Record<Outcome, number> = { killed: 0, "timed out": 0, survived: 0 };
  let notRun = 0;
  const scores: Record<string, string> = {};
  for (const [index, file] of files.entries()) {
    const source = parsed[index] as (typeof parsed)[number];
    const found = findMutants(source);
    for (const place of found.excused) {
      excused.push({ file, ...place });
      say(`${file}:${place.line}: excused: ${place.reason}`);
    }
    const lines = values.changed === undefined ? undefined : changedLines(file, values.changed);
    const mutants = found.mutants
      .filter(({ line }) => lines?.has(line) ?? true)
      .map((mutant) => ({ ...mutant, file }))
      .sort((one, other) => mixed(one) - mixed(other));
    // Each file has an equal part of the time left.
    const untilS = secondsPassed() + (Number(values.seconds) - secondsPassed()) / (files.length - index);
    const runBefore = runOf(counts);
    const survivedBefore = counts.survived;
    for (const [at, mutant] of mutants.entries()) {
      if (at >= Number(values.mutants) || secondsPassed() >= untilS) {
        notRun += mutants.length - at;
        break;
      }
      if (tests[file] === undefined) {
        tests[file] = await usableTests(file);
        say(`${file}: ${tests[file].join(", ") || "no test imports it"}`);
      }
      const outcome = await judge(mutant, source.text, tests[file]);
      counts[outcome] += 1;
      if (outcome !== "survived") continue;
      survivors.push(mutant);
      say(`${file}:${mutant.line}: survived: ${short(mutant.before)} → ${short(mutant.after)}`);
    }
    const ran = runOf(counts) - runBefore;
    scores[file] = `${ran - (counts.survived - survivedBefore)} of ${ran}, ${mutants.length - ran} not run`;
    say(`${file}: killed ${scores[file]}`);
  }
  const run = runOf(counts);
  const score = run === 0 ? 100 : (100 * (run - counts.survived)) / run;
  const { killed, "timed out": timedOut, survived } = counts;
  if (values.json)
    console.log(JSON.stringify({ score, killed, timedOut, survived, notRun, scores, survivors, excused, tests }));
  const figures = `${killed} killed, ${timedOut} timed out, ${survived} survived, ${notRun} not run`;
  say(`${score.toFixed(1)} %: ${figures} (${secondsPassed().toFixed(0)} s)`);
  await leave(run >= minMutantsJudged && score < Number(values["min-score"]) ? 1 : 0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  await leave(2);
}
