import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { parseResidentMemory } from "#agent/serving/residency/memory-of.ts";
import { encodeFrame } from "#agent/serving/worker/frames.ts";
import { type ModelProcess, ModelProcessLostError, startModelProcess } from "#agent/serving/worker/model-process.ts";
import { eventually } from "../../../e2e/program.ts";

const found = await findModel("all-MiniLM-L6-v2", null);
const options = { threads: 1, timeoutMs: 60_000 };
const batch = [Uint32Array.of(101, 7592, 102)];

let started: ModelProcess | undefined;
afterEach(async () => {
  await started?.stop();
  started = undefined;
});

/** Returns false also for a zombie: a process that has ended and was not waited for. */
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

test("computes batches, several asked for at once, and ends when it is stopped", async () => {
  started = await startModelProcess(found, options);
  const results = await Promise.all([started.run(batch, 8), started.run([...batch, ...batch], 16)]);
  expect(results.map((result) => result.vectors.length)).toEqual([1, 2]);
  expect(results[0].vectors[0]?.length).toBe(384);
  expect(results[0].computeMs).toBeGreaterThan(0);
  await started.stop();
  expect(alive(started.pid)).toBe(false);
  await expect(started.run(batch, 8)).rejects.toBeInstanceOf(ModelProcessLostError);
});

test("a batch that the model can't compute fails alone", async () => {
  started = await startModelProcess(found, options);
  await expect(started.run([Uint32Array.of(4_000_000)], 8)).rejects.toMatchObject({ name: "BatchFailedError" });
  expect((await started.run(batch, 8)).vectors.length).toBe(1);
});

test("killed with a batch in flight, it is lost and says so", async () => {
  started = await startModelProcess(found, options);
  const long = new Array(64).fill(new Uint32Array(256).fill(2000));
  const inFlight = started.run(long, 256);
  process.kill(started.pid, "SIGKILL");
  await expect(inFlight).rejects.toBeInstanceOf(ModelProcessLostError);
  expect(await started.lost).toMatch(/SIGKILL|closed its connection/);
});

test("one that ends while it loads is lost for the reason that it gave", async () => {
  const frame = encodeFrame({ kind: "failure", batch: 0, message: "has no memory" });
  const script = `
    const path = process.argv[process.argv.indexOf("--socket") + 1];
    const socket = require("node:net").connect(path);
    socket.end(Uint8Array.from([${frame}]), () => process.exit(1));`;
  const command = [process.execPath, "-e", script, "--"];
  await expect(startModelProcess(found, { ...options, command })).rejects.toThrow("has no memory");
});

test("one that ends before it connects is lost with its exit code", async () => {
  const command = [process.execPath, "-e", "process.exit(3)", "--"];
  await expect(startModelProcess(found, { ...options, command })).rejects.toThrow("ended with 3");
});

test("a file that is not the manifest's is not loaded", async () => {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
  try {
    const modelPath = join(directory, "model.onnx");
    const bytes = await Bun.file(found.modelPath).bytes();
    bytes[1_000_000] = (bytes[1_000_000]! + 1) % 256;
    await Bun.write(modelPath, bytes);
    await expect(startModelProcess({ ...found, modelPath }, options)).rejects.toThrow("does not match the manifest");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("ONNX Runtime keeps no identifier to report its use by, and a connected socket leaves no file", async () => {
  const home = await mkdtemp(join(tmpdir(), "thormesh-test-"));
  const sockets = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("thormesh-model-"));
  const before = new Set(await sockets());
  try {
    const environment = { HOME: home, XDG_CACHE_HOME: join(home, "cache") };
    started = await startModelProcess(found, { ...options, environment });
    await started.run(batch, 8);
    const own = /--socket\0([^\0]+)\0/.exec(readFileSync(`/proc/${started.pid}/cmdline`, "utf8"))?.[1] as string;
    expect(before.has(basename(dirname(own)))).toBe(false);
    expect(await sockets()).not.toContain(basename(dirname(own)));
    await started.stop();
    const written = (await readdir(home, { recursive: true })).filter((name) => /Microsoft|deviceid/.test(name));
    expect(written).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});

test("a child that is not ready in time is ended", async () => {
  await expect(startModelProcess(found, { threads: 1, timeoutMs: 1 })).rejects.toThrow("not ready after 1 ms");
});

test("a child that is stopped while it loads is ended at once", async () => {
  const stopping = new AbortController();
  const starting = startModelProcess(found, { ...options, signal: stopping.signal });
  stopping.abort();
  await expect(starting).rejects.toThrow("was stopped");
  await expect(startModelProcess(found, { ...options, signal: stopping.signal })).rejects.toThrow("was stopped");
});

test("the child ends with its parent, even when that is killed; a signal to the group does not end it before", async () => {
  const parent = Bun.spawn([process.execPath, join(import.meta.dir, "model-process-parent.ts")], { stdout: "pipe" });
  const reader = parent.stdout.getReader();
  const childPid = Number(new TextDecoder().decode((await reader.read()).value));
  expect(alive(childPid)).toBe(true);
  process.kill(childPid, "SIGINT");
  process.kill(childPid, "SIGTERM");
  // The parent prints another line when its child has computed a batch after the signals.
  parent.kill("SIGUSR2");
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("computed 1\n");
  parent.kill("SIGKILL");
  await untilDead(childPid);
});

test("without batches for a while, it gives back the memory that they needed, where that may be much", async () => {
  // A model of short texts keeps it.
  const manifest = { ...found.manifest, maxTokens: 8_192 };
  started = await startModelProcess({ ...found, manifest }, options);
  const { pid, run } = started;
  await run(batch, 8);
  const ownBytes = async () => parseResidentMemory(await readFile(`/proc/${pid}/status`, "utf8"))?.own ?? 0;
  const before = await ownBytes();
  // Varied sizes leave gaps between what is still in use.
  for (let length = 250; length > 10; length -= 30)
    await run(new Array(Math.ceil(3_000 / length)).fill(new Uint32Array(length).fill(2000)), length);
  const inUse = await ownBytes();
  expect(inUse - before).toBeGreaterThan(10e6);
  await eventually(ownBytes, (bytes) => bytes - before < (inUse - before) / 2);
});
