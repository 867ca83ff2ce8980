import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { type ModelProcess, ModelProcessLostError, startModelProcess } from "#agent/serving/worker/model-process.ts";
import { ModelRunner } from "#agent/serving/worker/model-runner.ts";
import { createLogger } from "#platform/log.ts";

const fake = join(import.meta.dir, "../../../fakes/model-worker.ts");
const carried = await findModel("all-MiniLM-L6-v2", null);
const found = { ...carried, manifest: { ...carried.manifest, dimension: 4 } };
const batch = [Uint32Array.of(1, 2), Uint32Array.of(3)];
/** As short as configuration allows. */
const batchTimeoutMs = 200;

const started: ModelProcess[] = [];
let runner: ModelRunner | undefined;
afterEach(async () => {
  await runner?.stop();
  runner = undefined;
  await Promise.all(started.splice(0).map((process) => process.stop()));
});

const hangs: string[] = [];
async function start(
  behaviour: string,
  options: { timeoutMs?: number; batchTimeoutMs?: number } = {},
): Promise<ModelProcess> {
  hangs.length = 0;
  const process = await startModelProcess(found, {
    threads: 1,
    timeoutMs: 60_000,
    batchTimeoutMs,
    command: [globalThis.process.execPath, fake, behaviour],
    onOutput: () => {},
    onHang: (reason) => hangs.push(reason),
    ...options,
  });
  started.push(process);
  return process;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
async function untilDead(pid: number): Promise<void> {
  while (alive(pid)) await Bun.sleep(10);
}

describe("a model's process that does not behave is lost, killed and gone", () => {
  test.each([
    "stops itself",
    "writes garbage",
    "announces four gigabytes",
    "says a frame of an unknown kind",
    "says vectors without numbers",
    "answers another batch",
    "answers with fewer vectors",
    "answers with other numbers",
    "answers with a pong",
    "asks itself",
    "says that it is ready",
    "ends",
  ])("%s", async (behaviour) => {
    const process = await start(behaviour);
    await expect(process.run(batch, 2)).rejects.toBeInstanceOf(ModelProcessLostError);
    expect(process.answers()).toBe(false);
    await untilDead(process.pid);
  });

  test("answers twice: the batch is answered, the process is not trusted any more", async () => {
    const process = await start("answers twice");
    expect((await process.run(batch, 2)).vectors).toHaveLength(2);
    expect(await process.lost).toContain("an unexpected vectors frame");
    await untilDead(process.pid);
  });

  test.each(["stops itself when idle", "never answers a ping"])("%s: found out without a batch", async (behaviour) => {
    const process = await start(behaviour);
    expect(await process.lost).toMatch(/gave no answer|was stopped by a signal/);
    expect(hangs).toHaveLength(1);
    await untilDead(process.pid);
  });

  test("a suspect batch is given a fifth of the time", async () => {
    const limitMs = 2_000;
    const waited = async (suspect: boolean) => {
      const process = await start("then never answers", { batchTimeoutMs: limitMs });
      await process.run(batch, 2);
      await expect(process.run(batch, 2, suspect)).rejects.toBeInstanceOf(ModelProcessLostError);
      return Number(/gave no answer for (\d+) ms/.exec(await process.lost)?.[1]);
    };
    // Only time in which this process ran is counted, so that a busy machine does not change it by more than two checks.
    expect(await waited(true)).toBeLessThan(limitMs / 2);
    expect(await waited(false)).toBeGreaterThanOrEqual(limitMs);
  });

  test("is stopped while it loads: found out long before the time to load is over", async () => {
    await expect(start("stops itself while it loads")).rejects.toThrow("was stopped by a signal");
  });

  test("is never ready: ended when the time to load is over", async () => {
    await expect(start("is never ready", { timeoutMs: 500 })).rejects.toThrow("not ready after 500 ms");
  });

  test("stays when its connection ends: killed after a grace", async () => {
    const process = await start("stays when its connection ends");
    await process.stop();
    expect(alive(process.pid)).toBe(false);
  });

  test("writes without an end of line: its output is cut, its batches are computed", async () => {
    const lines: string[] = [];
    const process = await startModelProcess(found, {
      threads: 1,
      timeoutMs: 60_000,
      command: [globalThis.process.execPath, fake, "writes without an end of line"],
      onOutput: (line) => lines.push(line),
    });
    started.push(process);
    expect((await process.run(batch, 2)).vectors).toHaveLength(2);
    while (lines.length === 0) await Bun.sleep(10);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(8_192);
  });
});

/** The first batch of a process is given a minute; once that is measured, the next one's deadline is `batchTimeoutMs`. */
test.each(["never answers", "stops itself", "reads nothing", "announces a frame and stops writing", "writes garbage"])(
  "a runner replaces a process that %s, and the batch is computed by the next one",
  async (behaviour) => {
    const behaviours = [`then ${behaviour}`];
    const pids: number[] = [];
    const losses: string[] = [];
    runner = new ModelRunner({
      id: "m",
      log: createLogger("test", "silent"),
      startProcess: (signal) =>
        startModelProcess(found, {
          threads: 1,
          timeoutMs: 60_000,
          // The next process is well, and must not be taken for one that hangs when the machine is busy.
          batchTimeoutMs: 2_000,
          signal,
          command: [process.execPath, fake, behaviours.shift() ?? "is well"],
          onOutput: () => {},
          onHang: (reason) => losses.push(reason),
        }),
      onLoaded: ({ pid }) => pids.push(pid),
    });
    runner.start();
    expect((await runner.run(batch, 2)).vectors).toHaveLength(2);
    expect((await runner.run(batch, 2)).vectors).toHaveLength(2);
    expect(losses).toEqual(behaviour === "writes garbage" ? [] : [expect.any(String)]);
    expect(pids).toHaveLength(2);
    expect({ restarts: runner.restarts, answers: runner.answers() }).toEqual({ restarts: 1, answers: true });
    await untilDead(pids[0] as number);
  },
);

test("a batch that hangs every process is given up text by text, and the others of it are answered", async () => {
  // The fake hangs on every batch but its first; a process that has answered the probe hangs on what follows.
  const hung: string[] = [];
  runner = new ModelRunner({
    id: "m",
    log: createLogger("test", "silent"),
    async startProcess(signal) {
      const process = await startModelProcess(found, {
        threads: 1,
        timeoutMs: 60_000,
        batchTimeoutMs,
        signal,
        command: [globalThis.process.execPath, fake, "then never answers"],
        onOutput: () => {},
        onHang: (reason) => hung.push(reason),
      });
      await process.run([Uint32Array.of(9)], 1);
      return process;
    },
    onLoaded() {},
  });
  runner.start();
  const result = runner.run(batch, 2);
  const { refused } = await result;
  expect(refused?.size).toBe(2);
  expect(hung.length).toBeGreaterThanOrEqual(4);
});
