import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { createClock } from "#platform/clock.ts";
import { describeError, ServiceError } from "#platform/errors.ts";
import { openDatabase, recentDamage } from "#platform/files/open-database.ts";
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
