import { afterEach, describe, expect, test } from "bun:test";
import { decideRestart } from "#agent/serving/worker/decide-restart.ts";
import { BatchFailedError, type ModelProcess, ModelProcessLostError } from "#agent/serving/worker/model-process.ts";
import { createModelRunner, type ModelRunner } from "#agent/serving/worker/model-runner.ts";
import { createLogger } from "#platform/log.ts";

test.each([
  { failuresInRow: 0, delayMs: 0 },
  { failuresInRow: 1, delayMs: 0 },
  { failuresInRow: 2, delayMs: 250 },
  { failuresInRow: 3, delayMs: 500 },
  { failuresInRow: 9, delayMs: 30_000 },
  { failuresInRow: 1e9, delayMs: 30_000 },
])("after $failuresInRow losses it waits $delayMs ms", ({ failuresInRow, delayMs }) => {
  expect(decideRestart(failuresInRow).delayMs).toBe(delayMs);
});

type Behaviour = "answers" | "dies on text 13" | "dies on a batch" | "refuses batches" | "does not start";

/** A process without a process, which behaves as the next line of the script says. */
function scriptedProcesses(script: Behaviour[]) {
  let started = 0;
  const start = async (): Promise<ModelProcess> => {
    const behaviour = script[started] ?? "answers";
    started += 1;
    const pid = started;
    if (behaviour === "does not start") throw new ModelProcessLostError("it did not start");
    const lost = Promise.withResolvers<string>();
    return {
      pid,
      loadMs: 1,
      engine: {
        provider: "cpu",
        refused: [],
        libraryVersion: null,
        libraryPath: null,
        libraryProblem: null,
        engines: null,
      },
      lost: lost.promise,
      answers: () => true,
      hashes: {},
      run(texts) {
        if (behaviour === "refuses batches") return Promise.reject(new BatchFailedError("no such token"));
        const is13 = ([id]: Uint32Array) => id === 13;
        if (behaviour === "dies on a batch" || (behaviour === "dies on text 13" && texts.some(is13))) {
          lost.resolve("died");
          return Promise.reject(new ModelProcessLostError("died"));
        }
        return Promise.resolve({ vectors: texts.map(() => Float32Array.of(pid)), computeMs: 1 });
      },
      stop: async () => lost.resolve("stopped"),
    };
  };
  return { start, started: () => started };
}

let runner: ModelRunner | undefined;
afterEach(() => runner?.stop());

function run(script: Behaviour[]) {
  const processes = scriptedProcesses(script);
  const loads: number[] = [];
  runner = createModelRunner({
    id: "m",
    startProcess: processes.start,
    log: createLogger("test", "silent"),
    onLoaded: ({ pid }) => loads.push(pid),
  });
  runner.start();
  return { runner, processes, loads };
}

const batch = [Uint32Array.of(1)];

describe("the runner", () => {
  test("waits for the process and computes on it", async () => {
    const { runner, loads } = run(["answers"]);
    expect(runner.state).toBe("loading");
    expect((await runner.run(batch, 8)).vectors[0]?.[0]).toBe(1);
    expect({ state: runner.state, loads, restarts: runner.restarts }).toEqual({
      state: "loaded",
      loads: [1],
      restarts: 0,
    });
  });

  test("computes a batch once more when its process dies", async () => {
    const { runner, loads } = run(["dies on a batch", "answers"]);
    expect((await runner.run(batch, 8)).vectors[0]?.[0]).toBe(2);
    expect({ loads, restarts: runner.restarts }).toEqual({ loads: [1, 2], restarts: 1 });
  });

  test("gives a batch up that costs two processes, and goes on with the next", async () => {
    const { runner } = run(["dies on a batch", "dies on a batch", "answers"]);
    await expect(runner.run(batch, 8)).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    expect((await runner.run(batch, 8)).vectors[0]?.[0]).toBe(3);
  });

  test("finds the text that ends processes: the others of its batch are answered, and so are other batches meanwhile", async () => {
    const { runner } = run(Array.from({ length: 20 }, () => "dies on text 13" as const));
    const ids = [1, 2, 13, 4, 5];
    const failing = runner.run(
      ids.map((id) => Uint32Array.of(id)),
      8,
    );
    const others = Promise.all([1, 2, 3].map(() => runner.run(batch, 8)));
    const { vectors, refused } = await failing;
    expect([...(refused?.keys() ?? [])]).toEqual([2]);
    expect(vectors.map((vector) => vector !== undefined)).toEqual([true, true, false, true, true]);
    expect((await others).every(({ vectors }) => vectors[0] !== undefined)).toBe(true);
    expect(runner.state).toBe("loaded");
  });

  test("does not try again what the model refuses", async () => {
    const { runner, processes } = run(["refuses batches"]);
    await expect(runner.run(batch, 8)).rejects.toBeInstanceOf(BatchFailedError);
    expect(processes.started()).toBe(1);
  });

  test("turns batches away while the process keeps failing to start, and recovers", async () => {
    const { runner } = run(["does not start", "does not start", "does not start", "answers"]);
    await expect(runner.run(batch, 8)).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    expect(runner.state).toBe("failing");
    await expect(runner.run(batch, 8)).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE", retryAfterS: 1 });
    await runner.firstLoaded;
    expect((await runner.run(batch, 8)).vectors[0]?.[0]).toBe(4);
  });

  test("stopped, it starts nothing any more", async () => {
    const { runner, processes } = run(["answers"]);
    await runner.firstLoaded;
    await runner.stop();
    await expect(runner.run(batch, 8)).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    expect({ state: runner.state, started: processes.started() }).toEqual({ state: "stopped", started: 1 });
  });

  test("stopped while it waits to start again, it stops at once", async () => {
    const { runner } = run(["does not start", "does not start", "does not start", "does not start", "does not start"]);
    await expect(runner.run(batch, 8)).rejects.toThrow();
    await runner.stop();
    expect(runner.state).toBe("stopped");
  });
});
