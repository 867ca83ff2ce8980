import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findMutants, parseSources } from "../../scripts/mutation/find-mutants.ts";

const program = join(import.meta.dir, "../../scripts/mutation/mutate.ts");
let root = "";

async function write(path: string, lines: readonly string[]): Promise<string> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await Bun.write(join(root, path), `${lines.join("\n")}\n`);
  return join(root, path);
}

async function mutate(...options: string[]) {
  const child = Bun.spawn([process.execPath, program, "--root", root, "--json", ...options], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [text, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, errors, report: text === "" ? undefined : JSON.parse(text) };
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "thormesh-mutation-"));
  Bun.spawnSync(["git", "init", "--quiet"], { cwd: root });
  await write("agent/limit.ts", [
    "export interface Limit { max: number }",
    "export function limit(value: number, { max }: Limit): number {",
    "  return value > max ? max : value; // mutate: equivalent because at the limit both are the same",
    "}",
    "export function isFull(count: number): boolean {",
    "  return count >= 10;",
    "}",
  ]);
  await write("agent/decide-color.ts", [
    'import { isFull } from "./limit.ts";',
    'export type Color = "red" | "green";',
    'export const decideColor = (count: number): Color => (isFull(count) ? "red" : "green");',
  ]);
  await write("test/agent/limit.test.ts", [
    'import { expect, test } from "bun:test";',
    'import { isFull } from "../../agent/limit.ts";',
    'test("full", () => expect([isFull(20), isFull(1)]).toEqual([true, false]));',
  ]);
  await write("test/color.test.ts", [
    'import { expect, test } from "bun:test";',
    'import { decideColor } from "../agent/decide-color.ts";',
    'test("color", () => expect([decideColor(20), decideColor(1)]).toEqual(["red", "green"]));',
  ]);
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** The replacements made in one line of code, as "before → after". */
async function replacements(code: string, name = "some.ts"): Promise<string[]> {
  const [file] = await parseSources([await write(`parsed/${name}`, [code])]);
  return findMutants(file!).mutants.map(({ before, after }) => `${before} → ${after}`);
}

test.each([
  ["x = a < b;", ["x = a < b; → ;", "< → <=", "< → >="]],
  ["const x = a + 2 * b;", ["+ → -", "* → /", "2 → 3", "2 → 1"]],
  ["const x = a && !b;", ["&& → ||", "!b → (b)"]],
  ["if (a >= b) go();", ["a >= b → false", "a >= b → true", ">= → >", "go(); → ;"]],
  ["const x = a ?? b;", ["a ?? b → (a)", "a ?? b → (b)"]],
  ["const x = a?.b;", ["?. → ."]],
  ["const x = { 200: true };", ["true → false"]],
  ["const x = Math.min(...list.filter(f));", ["min → max", "list.filter(f) → list"]],
  ["const x = a.toString() + b.valueOf();", ["+ → -"]],
  ["function f() { const x = a; return x; }", ["{ const x = a; return x; } → {}"]],
  ["while (a) { if (b) break; c(); }", ["a → false", "b → false", "b → true", "c(); → ;"]],
  // Neither types nor messages nor logging nor what can't happen.
  ["type A = 1 | 2; const x = y as 3; const z: Array<4> = [];", []],
  [
    `log.info({ count: 1 }, \`read \${a + 1} files\`); const x = \`\${a - 1}\`; throw new Error(b + 1);`,
    ["throw new Error(b + 1); → ;"],
  ],
  ['if (a === undefined) throw new Error("no a. This is a bug.");', []],
  ['const x = a === "red" ? "green" : "blue";', ['a === "red" → false', 'a === "red" → true']],
])("mutants of %s", async (code, expected) => {
  expect(await replacements(code)).toEqual(expected);
});

test("in a decision, strings are swapped with those beside them", async () => {
  expect(await replacements('const x = a ? "green" : "blue";', "decide-color.ts")).toEqual([
    "a → false",
    "a → true",
    '"green" → "blue"',
    '"blue" → "green"',
  ]);
});

test("an excuse needs a reason", async () => {
  const failure = await replacements("const x = 1; // mutate: equivalent").catch(String);
  expect(failure).toContain("equivalent because REASON");
});

test("what no test notices survives, what is excused isn't run, and the sources stay as they are", async () => {
  const source = await Bun.file(join(root, "agent/limit.ts")).text();
  const { code, report } = await mutate("agent/limit.ts");
  expect({ code, survivors: report.survivors.map((mutant: { after: string }) => mutant.after).sort() }).toEqual({
    code: 0,
    survivors: ["11", "9", ">"].sort(),
  });
  expect(report.excused).toEqual([{ file: "agent/limit.ts", line: 3, reason: "at the limit both are the same" }]);
  expect(report.tests["agent/limit.ts"]).toEqual(["test/agent/limit.test.ts", "test/color.test.ts"]);
  expect(report.killed).toBeGreaterThan(0);
  expect(await Bun.file(join(root, "agent/limit.ts")).text()).toBe(source);
});

test("a test that fails unmutated says nothing", async () => {
  await write("test/failing.test.ts", [
    'import { expect, test } from "bun:test";',
    'import { decideColor } from "../agent/decide-color.ts";',
    'test("failing", () => expect(decideColor(1)).toBe("red"));',
  ]);
  const { report, errors } = await mutate("agent/decide-color.ts");
  expect(errors).toContain("test/failing.test.ts fails unmutated");
  expect({ survived: report.survived, score: report.score }).toEqual({ survived: 0, score: 100 });
});

test("only lines changed, and only where a test is near", async () => {
  const git = (...command: string[]) =>
    Bun.spawnSync(["git", "-c", "user.name=a", "-c", "user.email=a@b", ...command], { cwd: root });
  git("add", ".");
  git("commit", "--quiet", "--message", "first");
  const source = await Bun.file(join(root, "agent/limit.ts")).text();
  await Bun.write(join(root, "agent/limit.ts"), source.replace("count >= 10", "count >= 12"));
  const { report } = await mutate("--changed", "HEAD");
  expect(report.survivors.map((mutant: { line: number }) => mutant.line)).toEqual([6, 6, 6]);
  expect((await mutate("--changed", "HEAD", "--seconds", "0")).report).toMatchObject({ killed: 0, notRun: 4 });
});
