import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { type ModelProcess, type ModelProcessOptions, startModelProcess } from "#agent/serving/worker/model-process.ts";

const found = await findModel("all-MiniLM-L6-v2", null);
const texts = [Uint32Array.of(101, 7592, 2088, 102), Uint32Array.of(101, 102)];
const directory = mkdtempSync(join(tmpdir(), "thormesh-test-"));
const cache = join(directory, "cache");
let own: readonly (Float32Array | undefined)[];
let started: ModelProcess | undefined;

async function start(options: Partial<ModelProcessOptions> = {}): Promise<ModelProcess> {
  const environment = { THORMESH_CACHE_DIR: cache };
  started = await startModelProcess(found, { threads: 1, timeoutMs: 240_000, environment, ...options });
  return started;
}
/** Fused operators add the same numbers in another order. */
function expectOwn(vectors: typeof own) {
  expect(vectors.length).toBe(own.length);
  for (const [i, vector] of vectors.entries())
    for (const [at, value] of (vector ?? []).entries()) expect(value).toBeCloseTo(own[i]?.[at] ?? Number.NaN, 5);
}
const maps = (pid: number) => readFileSync(`/proc/${pid}/maps`, "utf8");

afterEach(async () => {
  await started?.stop();
});
beforeAll(async () => {
  own = (await (await start()).run(texts, 4)).vectors;
  expect(started?.weights).toEqual({ shared: false, problem: null });
  expect(maps(started?.pid ?? 0)).not.toContain("prepared-models");
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("a model that may be prepared", () => {
  test("maps its weights from a file and computes the same numbers, up to rounding", async () => {
    const { weights, pid, run } = await start({ prepare: true });
    expect(weights).toEqual({ shared: true, problem: null });
    expect(maps(pid)).toContain(join(cache, "prepared-models"));
    expectOwn((await run(texts, 4)).vectors);
    // Later ones find it.
    await started?.stop();
    expect((await start()).weights.shared).toBe(true);
  });

  test("is prepared again when its file is damaged", async () => {
    await start({ prepare: true });
    await started?.stop();
    const place = join(cache, "prepared-models");
    const [key = ""] = readdirSync(place);
    const path = join(place, key, "model.onnx.data");
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect((await start()).weights.shared).toBe(false);
    await started?.stop();
    const { weights, run } = await start({ prepare: true });
    expect(weights.shared).toBe(true);
    expectOwn((await run(texts, 4)).vectors);
  });

  test("is loaded from its own file where there is no place for another", async () => {
    const notADirectory = join(directory, "file");
    writeFileSync(notADirectory, "");
    const environment = { THORMESH_CACHE_DIR: join(notADirectory, "cache") };
    const { weights, run } = await start({ prepare: true, environment });
    expect(weights).toEqual({ shared: false, problem: "there is no directory for a shared file of its weights" });
    expect((await run(texts, 4)).vectors).toEqual(own);
  });

  test("is told apart by its files", async () => {
    const copy = join(directory, "model");
    mkdirSync(copy, { recursive: true });
    const modelPath = join(copy, "model.onnx");
    writeFileSync(modelPath, readFileSync(found.modelPath));
    const files = [{ name: "other/model.onnx", path: modelPath, sha256: found.modelSha256 }];
    const environment = { THORMESH_CACHE_DIR: cache };
    const options = { threads: 1, timeoutMs: 240_000, environment, files, prepare: true };
    started = await startModelProcess({ ...found, modelPath }, options);
    expect(started.weights.shared).toBe(true);
    expect(readdirSync(join(cache, "prepared-models")).length).toBe(2);
  });
});
