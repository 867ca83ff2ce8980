import { expect, test } from "bun:test";
import type { WorkerEngine } from "#agent/serving/onnxruntime/engine-options.ts";
import { createFallbackStart } from "#agent/serving/onnxruntime/start-with-fallback.ts";
import { type ModelProcess, ModelProcessLostError } from "#agent/serving/worker/model-process.ts";

const named: WorkerEngine = {
  providers: "auto",
  onnxruntimeDirectory: "/opt/ort",
  engineCacheDirectory: null,
  warmUp: [],
};
const running: ModelProcess = {
  pid: 1,
  loadMs: 1,
  answers: () => true,
  hashes: {},
  couplingOperators: [],
  weights: { shared: false, problem: null },
  tokenVectors: true,
  engine: {
    provider: "cpu",
    refused: [],
    libraryVersion: null,
    libraryPath: null,
    libraryProblem: null,
    engines: null,
  },
  lost: new Promise(() => {}),
  run: () => Promise.reject(new Error("not asked for")),
  pause() {},
  resume() {},
  stop: async () => {},
};
const { signal } = new AbortController();

/** The operator's and the carried library work or take their processes down; which one was tried is written down. */
function setUp(engine: WorkerEngine, works: { own: boolean; carried: boolean }) {
  const tried: string[] = [];
  const start = createFallbackStart(engine, async ({ onnxruntimeDirectory, providers }) => {
    const which = onnxruntimeDirectory === null ? "carried" : "own";
    tried.push(which === "own" ? which : `carried, ${providers}`);
    if (!works[which]) throw new ModelProcessLostError(`${which} ended by SIGSEGV`);
    return running;
  });
  return { start, tried };
}

test("a library that takes its process down is replaced by the carried one, at once from then on", async () => {
  const { start, tried } = setUp(named, { own: false, carried: true });
  expect((await start(2, signal)).engine.libraryProblem).toBe("/opt/ort: own ended by SIGSEGV");
  expect((await start(1, signal)).engine.libraryProblem).toBe("/opt/ort: own ended by SIGSEGV");
  expect(tried).toEqual(["own", "carried, cpu", "carried, cpu"]);
});

test("one that works is used", async () => {
  const { start, tried } = setUp(named, { own: true, carried: true });
  expect((await start(2, signal)).engine.libraryProblem).toBeNull();
  expect(tried).toEqual(["own"]);
});

test("where both fail it is not the library's fault: it is tried again", async () => {
  const { start, tried } = setUp(named, { own: false, carried: false });
  for (const _ of [1, 2]) await expect(start(2, signal)).rejects.toThrow("carried ended by SIGSEGV");
  expect(tried).toEqual(["own", "carried, cpu", "own", "carried, cpu"]);
});

const unyielding: { name: string; engine: WorkerEngine; aborted: boolean }[] = [
  { name: "a list that ends without the CPU", engine: { ...named, providers: ["cuda"] }, aborted: false },
  { name: "one that was told to stop", engine: named, aborted: true },
];
test.each(unyielding)("$name does not fall back", async ({ engine, aborted }) => {
  const { start, tried } = setUp(engine, { own: false, carried: true });
  await expect(start(2, aborted ? AbortSignal.abort() : signal)).rejects.toThrow("own ended by SIGSEGV");
  expect(tried).toEqual(["own"]);
});
