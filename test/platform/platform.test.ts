import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import pino from "pino";
import { createClock } from "#platform/clock.ts";
import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import { openDatabase, recentDamage } from "#platform/files/open-database.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { createCountedLog } from "#platform/log.ts";
import { runPeriodically } from "#platform/periodic.ts";

const directories: string[] = [];
function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "thormesh-test-"));
  directories.push(path);
  return path;
}
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

function recordingLog() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { log, lines };
}

describe("parseConfig", () => {
  const schema = Type.Object(
    {
      port: Type.Integer({ minimum: 0, maximum: 65_535, default: 80 }),
      mode: Type.Union([Type.Literal("a"), Type.Literal("b")], { default: "a" }),
      nested: Type.Object({ rate: Type.Number({ default: 0.5 }) }, { additionalProperties: false, default: {} }),
    },
    { additionalProperties: false },
  );

  test.each([[{}], [undefined], [null]])("%p becomes the defaults", (input) => {
    expect(parseConfig(schema, input, "x")).toEqual({ port: 80, mode: "a", nested: { rate: 0.5 } });
  });

  test("all mismatches are said at once, with path, expectation and value", () => {
    const parse = () =>
      parseConfig(schema, { port: "80", mode: "c", nested: { rate: null, typo: 1 }, more: {} }, "agent.yaml");
    expect(parse).toThrow(UsageError);
    try {
      parse();
    } catch (error) {
      const { message } = error as Error;
      expect(message).toContain("agent.yaml");
      expect(message).toMatch(/port: expected integer, got "80"/);
      expect(message).toMatch(/mode: expected one of "a", "b", got "c"/);
      expect(message).toMatch(/nested\.rate: expected number, got null/);
      expect(message).toMatch(/nested\.typo: unknown field/);
      expect(message).toMatch(/more: unknown field/);
    }
  });

  test("of a value that may be text or an object, an object's own mistakes are named", () => {
    const Label = Type.Union([
      Type.String(),
      Type.Object({ label: Type.String(), tenant: Type.String() }, { additionalProperties: false }),
    ]);
    const Labels = Type.Object({ labels: Type.Array(Label) });
    expect(() => parseConfig(Labels, { labels: ["a", { label: 1, tenannt: "x" }, 7] }, "file")).toThrow(
      "labels.1.label: expected string, got 1\n  labels.1.tenant: expected string, got nothing\n  labels.1.tenannt: unknown field; did you mean tenant?\n  labels.2: expected string or object, got 7",
    );
    expect(() => parseConfig(Label, { label: "a" }, "file")).toThrow("file is not valid:\n  tenant: expected");
  });

  test("an object in a list's place and a list in an object's are named, not taken for what has a default", () => {
    const List = Type.Object({ list: Type.Array(Type.Object({ x: Type.Optional(Type.Number()) }), { default: [] }) });
    const Whole = Type.Object({ inner: Type.Object({}, { default: {} }), lists: Type.Array(List, { default: [] }) });
    expect(parseConfig(Whole, {}, "file")).toEqual({ inner: {}, lists: [] });
    expect(() => parseConfig(Whole, { inner: [1], lists: [{ list: { x: 1 } }] }, "file")).toThrow(
      'file is not valid:\n  inner: expected object, got [1]\n  lists.0.list: expected array, got {"x":1}',
    );
  });

  test.each([
    ["a text", { tenants: "s3cr3t" }, "tenants: expected object, got a string"],
    ["a text in an object's place", { tenants: { a: "s3cr3t" } }, "tenants.a: expected object, got a string"],
    ["a list", { tenants: ["s3cr3t", 1] }, 'tenants: expected object, got ["***",1]'],
    ["an object", { list: { a: "s3cr3t", b: { c: ["s3cr3t"] } } }, "list: expected array, got {"],
  ])("what stands in an object's or a list's place is not quoted: %s", (_name, input, message) => {
    const Inner = Type.Object({ weight: Type.Optional(Type.Number()) }, { additionalProperties: false });
    const schema = Type.Object({
      tenants: Type.Record(Type.String(), Inner, { default: {} }),
      list: Type.Array(Type.String(), { default: [] }),
    });
    try {
      parseConfig(schema, input, "file");
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).not.toContain("s3cr3t");
    }
  });

  test("a file that is not there or not YAML is named", async () => {
    const path = join(temporaryDirectory(), "x.yaml");
    expect(readConfigFile(path)).rejects.toThrow(path);
    await Bun.write(path, "a: [1,");
    expect(readConfigFile(path)).rejects.toThrow(UsageError);
    await Bun.write(path, "a: 1\nb:\n  c: 2\n d: 3\ne: 4\n");
    expect(readConfigFile(path)).rejects.toThrow(
      "x.yaml is not valid YAML, in line 4 or in the block that begins there",
    );
    await Bun.write(path, "a: 1\nb: [x]\n");
    expect(await readConfigFile(path)).toEqual({ a: 1, b: ["x"] });
  });
});

describe("openDatabase", () => {
  const migrations = ["CREATE TABLE t (x INTEGER)", "ALTER TABLE t ADD COLUMN y INTEGER"];

  test("applies what is missing of the migrations, once", () => {
    const path = join(temporaryDirectory(), "deep", "state.db");
    const { log } = recordingLog();
    const first = openDatabase(path, migrations.slice(0, 1), log, 0);
    first.run("INSERT INTO t VALUES (7)");
    first.close();
    const second = openDatabase(path, migrations, log, 0);
    expect(second.query("SELECT * FROM t").all()).toEqual([{ x: 7, y: null }]);
    second.close();
    expect(() => openDatabase(path, migrations.slice(0, 1), log, 0)).toThrow(/schema version 2/);
  });

  test("a damaged file is moved aside, not deleted, and said loudly", async () => {
    const directory = temporaryDirectory();
    const path = join(directory, "state.db");
    await Bun.write(
      path,
      "this is not a database, it is a sentence that is long enough to fill a header page".repeat(20),
    );
    const { log, lines } = recordingLog();
    const database = openDatabase(path, migrations, log, 1234);
    expect(database.query("SELECT count(*) AS n FROM t").get()).toEqual({ n: 0 });
    database.close();
    expect(readdirSync(directory)).toContain("state.db.corrupt-1234");
    expect(lines[0]?.["level"]).toBe(50);
    expect(lines[0]?.["msg"]).toMatch(/DAMAGED/);
  });

  test.each<[string, (path: string) => void]>([
    ["a directory", (path) => mkdirSync(path)],
    ["a pipe", (path) => void Bun.spawnSync(["mkfifo", path])],
    ["a device", (path) => symlinkSync("/dev/zero", path)],
  ])("%s in a state file's place is moved aside, and health says so for a day", (_name, put) => {
    const path = join(temporaryDirectory(), "state.db");
    put(path);
    const { log, lines } = recordingLog();
    openDatabase(path, migrations, log, 1234).close();
    expect(lines[0]?.["msg"]).toMatch(/DAMAGED/);
    expect(existsSync(`${path}.corrupt-1234`)).toBe(true);
    const dayMs = 86_400_000;
    for (const nowMs of [1234, dayMs]) expect(recentDamage(path, nowMs)).toContain("state.db.corrupt-1234");
    expect(recentDamage(path, 2 * dayMs)).toBeNull();
    expect(recentDamage(join(path, "nowhere", "state.db"), 0)).toBeNull();
  });

  test("a file that can't be opened, and a directory that can't be made, are named", async () => {
    const directory = temporaryDirectory();
    const { log } = recordingLog();
    const open = (path: string) => () => openDatabase(path, migrations, log, 0);
    const link = join(directory, "link");
    symlinkSync(join(directory, "nowhere", "state.db"), link);
    expect(open(link)).toThrow(`the state file ${link} can't be opened`);
    await Bun.write(join(directory, "file"), "");
    expect(open(join(directory, "file", "state.db"))).toThrow(
      `the state directory ${join(directory, "file")} can't be`,
    );
  });

  test("a file in use is not damage", () => {
    const path = join(temporaryDirectory(), "state.db");
    const holder = new Database(path, { create: true });
    holder.run("BEGIN EXCLUSIVE");
    holder.run("CREATE TABLE held (x INTEGER)");
    const { log } = recordingLog();
    expect(() => openDatabase(path, migrations, log, 0)).toThrow();
    expect(readdirSync(join(path, "..")).filter((name) => name.includes("corrupt"))).toEqual([]);
    holder.close();
  });
});

describe("clock", () => {
  test("a scaled clock runs by its factor from its anchor", async () => {
    const anchorRealMs = Date.now();
    const clock = createClock({ speed: 1000, anchorRealMs, startMs: 5_000_000 });
    await clock.sleep(60_000);
    const elapsedMs = clock.nowMs() - 5_000_000;
    expect(elapsedMs).toBeGreaterThanOrEqual(59_000);
    expect(elapsedMs).toBeLessThanOrEqual((Date.now() - anchorRealMs) * 1000);
  });
  test("sleep ends when aborted", async () => {
    const abort = new AbortController();
    const slept = createClock(null).sleep(3_600_000, abort.signal);
    abort.abort();
    await slept;
    await createClock(null).sleep(3_600_000, abort.signal);
  });
  test("periodic runs fall on multiples, survive a failure, and end with stop", async () => {
    const clock = createClock({ speed: 2000, anchorRealMs: Date.now(), startMs: 1_000_030_000 });
    const runs: number[] = [];
    const errors: unknown[] = [];
    const enough = Promise.withResolvers<void>();
    const task = runPeriodically(
      clock,
      60_000,
      (scheduledMs) => {
        runs.push(scheduledMs);
        if (runs.length === 3) enough.resolve();
        if (runs.length === 1) throw new Error("once");
      },
      (error) => errors.push(error),
      5_000,
    );
    await enough.promise;
    await task.stop();
    const after = runs.length;
    await Bun.sleep(80);
    expect(runs.length).toBe(after);
    expect(errors).toHaveLength(1);
    for (const [index, runMs] of runs.entries()) {
      expect((runMs - 5_000) % 60_000).toBe(0);
      expect(runMs).toBeGreaterThan(runs[index - 1] ?? 0);
    }
  });
});

test("a counted log says the first at once and then how many it kept back", () => {
  const { log, lines } = recordingLog();
  let nowMs = 0;
  const counted = createCountedLog(log, () => nowMs);
  for (let i = 0; i < 5; i += 1) counted.note("malformed", { topic: "x" });
  nowMs = 60_000;
  counted.note("malformed", { topic: "y" });
  counted.note("other", {});
  expect(lines.map(({ msg, suppressed }) => [msg, suppressed])).toEqual([
    ["malformed", 0],
    ["malformed", 4],
    ["other", 0],
  ]);
});

test("an error is described with its causes", () => {
  const error = new ServiceError("INTERNAL", "outer", { cause: new Error("inner", { cause: "root" }) });
  expect(describeError(error)).toBe("outer: inner: root");
  expect(describeError(42)).toBe("42");
});
