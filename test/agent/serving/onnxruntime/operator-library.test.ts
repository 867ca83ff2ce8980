import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { compareEngines, listEngines } from "#agent/serving/onnxruntime/engine-cache.ts";
import { engineEnvironment, type WorkerEngine } from "#agent/serving/onnxruntime/engine-options.ts";
import { explainIncompatibility, findOperatorLibrary } from "#agent/serving/onnxruntime/operator-library.ts";
import { symbolVersion, withSymbolVersion } from "#agent/serving/onnxruntime/symbol-version.ts";
import { type ModelProcess, startModelProcess } from "#agent/serving/worker/model-process.ts";

const packaged = join(import.meta.dir, "../../../../node_modules/onnxruntime-node/bin/napi-v6/linux", process.arch);
const library = join(packaged, "libonnxruntime.so.1");
const addon = join(packaged, "onnxruntime_binding.node");
const version = symbolVersion(readFileSync(addon)) ?? "";
const found = await findModel("all-MiniLM-L6-v2", null);

let directory: string;
let started: ModelProcess | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-test-"));
});
afterEach(async () => {
  await started?.stop();
  started = undefined;
  rmSync(directory, { recursive: true });
});

describe("symbol versions", () => {
  test("library and addon say the same one", () => {
    expect(version).toMatch(/^1\.\d+\.\d+$/);
    expect(symbolVersion(readFileSync(library))).toBe(version);
  });

  test.each([
    { name: "no library", text: "#!/bin/sh\n" },
    { name: "empty", text: "" },
    { name: "another library's versions", text: "\0VERS_OLD\0VERS_1.2\0" },
  ])("$name: none", ({ text }) => {
    expect(symbolVersion(Buffer.from(text))).toBeNull();
  });

  test("an addon is made to ask for another version, and nothing else in it changes", () => {
    const bytes = readFileSync(addon);
    const other = withSymbolVersion(bytes, "1.99.0");
    expect(symbolVersion(other)).toBe("1.99.0");
    expect([...other].filter((byte, i) => byte !== bytes[i]).length).toBeLessThanOrEqual(10);
    expect(Buffer.from(withSymbolVersion(other, version)).equals(bytes)).toBe(true);
  });

  test("a name that does not fit in the old one's place is refused", () => {
    expect(() => withSymbolVersion(readFileSync(addon), "1.100.10")).toThrow("can't be used with 1.100.10");
    expect(() => withSymbolVersion(Buffer.from("nothing"), "1.30.0")).toThrow("of no known version");
  });
});

test.each([
  { library: "1.30.0", problem: null },
  { library: "1.31.4", problem: null },
  { library: "1.100.0", problem: null },
  { library: "1.29.1", problem: "needs 1.30 or later" },
  { library: "2.0.0", problem: "needs 1.30 or later" },
  { library: null, problem: "does not state its version" },
])("an addon of 1.30.0 and a library of $library", ({ library, problem }) => {
  const decided = explainIncompatibility("1.30.0", library);
  if (problem === null) expect(decided).toBeNull();
  else expect(decided).toContain(problem);
});

describe("an operator's directory", () => {
  test.each([
    { names: ["libonnxruntime.so.1.30.0"] },
    { names: ["libonnxruntime.so"] },
    { names: ["libonnxruntime.so.1", "libonnxruntime.so.1.30.0", "libonnxruntime_providers_cuda.so"] },
  ])("with $names is one", ({ names }) => {
    for (const name of names) writeFileSync(join(directory, name), "\0VERS_1.30.0\0");
    expect(findOperatorLibrary(directory)).toMatchObject({ version: "1.30.0", files: names, addonPath: null });
  });

  test.each([
    { names: [], message: "got none of ONNX Runtime's files" },
    { names: ["libonnxruntime_providers_cuda.so"], message: "got libonnxruntime_providers_cuda.so" },
    { names: ["libonnxruntime.a"], message: "expected libonnxruntime.so.1" },
  ])("with $names is none", ({ names, message }) => {
    for (const name of names) writeFileSync(join(directory, name), "");
    expect(() => findOperatorLibrary(directory)).toThrow(message);
  });

  test("that is not there is named", () => {
    expect(() => findOperatorLibrary("/no/such")).toThrow(
      "serving.onnxruntimeDirectory: there is no directory /no/such",
    );
  });
});

describe("a model process with an operator's library", () => {
  const start = async (providers: WorkerEngine["providers"]) => {
    const engine = { providers, onnxruntimeDirectory: join(directory, "own"), engineCacheDirectory: null, warmUp: [] };
    const environment = { THORMESH_CACHE_DIR: join(directory, "cache") };
    started = await startModelProcess(found, { threads: 1, timeoutMs: 60_000, engine, environment });
    return started;
  };

  test("computes with that very library; a provider that it lacks is refused with the reason", async () => {
    mkdirSync(join(directory, "own"));
    // A copy, so that it can't be mistaken for the package's.
    const own = join(directory, "own", `libonnxruntime.so.${version}`);
    writeFileSync(own, readFileSync(library));
    const child = await start(["cuda", "cpu"]);
    expect(child.engine).toMatchObject({ provider: "cpu", libraryVersion: version, libraryPath: own });
    expect(child.engine.refused).toEqual([
      {
        provider: "cuda",
        reason: expect.stringMatching(/libonnxruntime_providers_shared\.so is missing|has no cuda/),
      },
    ]);
    expect((await child.run([Uint32Array.of(101, 102)], 8)).vectors[0]?.length).toBe(384);
    const mapped = readFileSync(`/proc/${child.pid}/maps`, "utf8").match(/\S*libonnxruntime\.so\S*/g);
    expect(new Set(mapped)).toEqual(new Set([own]));
  });

  test("a list that ends without the CPU is not served by it", async () => {
    mkdirSync(join(directory, "own"));
    symlinkSync(library, join(directory, "own", "libonnxruntime.so.1"));
    await expect(start(["cuda"])).rejects.toThrow("none of the execution providers works: cuda: ");
  });

  test.each([
    { name: "too old", content: "\0VERS_1.22.0\0", message: "it is ONNX Runtime 1.22.0, and this program needs" },
    { name: "not ONNX Runtime", content: "x", message: "it does not state its version" },
  ])("$name: the process says so", async ({ content, message }) => {
    mkdirSync(join(directory, "own"));
    writeFileSync(join(directory, "own", "libonnxruntime.so.1"), content);
    await expect(start("auto")).rejects.toThrow(message);
  });
});

describe("TensorRT's settings", () => {
  const tensorrt = { engineCacheDirectory: null, fp16: true, timingCache: true, maxWorkspaceBytes: null };
  test.each([
    {
      name: "none for the carried library",
      directory: null,
      cache: null,
      tensorrt,
      environment: { THORMESH_ONNXRUNTIME_DIR: "" },
    },
    {
      name: "no cache",
      directory: "/ort",
      cache: null,
      tensorrt,
      environment: {
        THORMESH_ONNXRUNTIME_DIR: "/ort",
        LD_LIBRARY_PATH: "/ort:/cuda",
        ORT_TENSORRT_FP16_ENABLE: "1",
        ORT_TENSORRT_TIMING_CACHE_ENABLE: "0",
        ORT_TENSORRT_ENGINE_CACHE_ENABLE: "0",
      },
    },
    {
      name: "a cache, full precision, bounded memory",
      directory: "/ort",
      cache: "/var/engines/m",
      tensorrt: { ...tensorrt, fp16: false, maxWorkspaceBytes: 1_000_000 },
      environment: {
        THORMESH_ONNXRUNTIME_DIR: "/ort",
        LD_LIBRARY_PATH: "/ort:/cuda",
        ORT_TENSORRT_FP16_ENABLE: "0",
        ORT_TENSORRT_TIMING_CACHE_ENABLE: "1",
        ORT_TENSORRT_ENGINE_CACHE_ENABLE: "1",
        ORT_TENSORRT_CACHE_PATH: "/var/engines/m",
        ORT_TENSORRT_MAX_WORKSPACE_SIZE: "1000000",
      },
    },
  ])("$name", ({ directory, cache, tensorrt, environment }) => {
    const engine = { onnxruntimeDirectory: directory, engineCacheDirectory: cache };
    expect(engineEnvironment(engine, tensorrt, { LD_LIBRARY_PATH: "/cuda" })).toEqual(environment);
  });

  test("an engine that was written is built, one that was not is reused, other files don't count", () => {
    expect(listEngines(join(directory, "not-yet")).size).toBe(0);
    for (const name of ["old.engine", "stale.engine", "old.profile"]) writeFileSync(join(directory, name), "1");
    const before = listEngines(directory);
    writeFileSync(join(directory, "new.engine"), "1");
    utimesSync(join(directory, "stale.engine"), 1, 1);
    expect(compareEngines(before, listEngines(directory))).toEqual({ built: 2, reused: 1 });
  });
});
