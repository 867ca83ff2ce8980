import { afterEach, describe, expect, test } from "bun:test";
import {
  BatchFailedError,
  type BatchResult,
  type ModelProcess,
  ModelProcessLostError,
} from "#agent/serving/worker/model-process.ts";
import { ModelRunner } from "#agent/serving/worker/model-runner.ts";
import { createLogger } from "#platform/log.ts";

type Behaviour =
  | "answers"
  | "dies on text 13"
  | "dies on a batch"
  | "dies, and its batch fails later"
  | "refuses batches"
  | "refuses text 13"
  | "has a bug"
  | "never answers"
  | "does not start";

/** Processes without a process, which behave as the script says, one after another; then they answer. */
function scriptedProcesses(script: Behaviour[]) {
  let started = 0;
  /** Ids of the texts of each batch, with "?" for a suspect one. */
  const runs: string[] = [];
  const stopped: number[] = [];
  let starting: Promise<void> = Promise.resolve();
  let mute = false;
  const start = async (signal: AbortSignal): Promise<ModelProcess> => {
    const behaviour = script[started] ?? "answers";
    started += 1;
    const pid = started;
    await starting;
    if (behaviour === "does not start") throw new ModelProcessLostError("it did not start");
    const lost = Promise.withResolvers<string>();
    const inFlight: ((error: Error) => void)[] = [];
    let isLost = false;
    const lose = (reason: string) => {
      isLost = true;
      for (const reject of inFlight) reject(new ModelProcessLostError(reason));
      lost.resolve(reason);
    };
    return {
      pid,
      loadMs: 1,
      tokenVectors: true,
      engine: {
        provider: "cpu",
        refused: [],
        libraryVersion: null,
        libraryPath: null,
        libraryProblem: null,
        engines: null,
      },
      lost: lost.promise,
      answers: () => !mute && !signal.aborted,
      pause() {},
      resume() {},
      hashes: {},
      couplingOperators: [],
      weights: { shared: false, problem: null },
      run(texts, _paddedTokens, suspect) {
        const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
        runs.push(
          `${texts.map(([id]) => id).join(" ")}${suspect === true ? "?" : ""}${isLost ? " on a lost process" : ""}`,
        );
        const has13 = texts.some(([id]) => id === 13);
        if (behaviour === "dies, and its batch fails later") {
          lost.resolve("died");
          const later = setInterval(() => {
            if (started === pid) return;
            clearInterval(later);
            setImmediate(() => reject(new ModelProcessLostError("died")));
          }, 1);
          return promise;
        }
        inFlight.push(reject);
        if (behaviour === "has a bug") reject(new TypeError("a bug"));
        if (behaviour === "refuses batches" || (behaviour === "refuses text 13" && has13))
          reject(new BatchFailedError("no such token"));
        if (behaviour === "dies on a batch" || (behaviour === "dies on text 13" && has13)) lose("died");
        if (behaviour !== "never answers") resolve({ vectors: texts.map(() => Float32Array.of(pid)), computeMs: 1 });
        return promise;
      },
      async stop() {
        stopped.push(pid);
        lose("stopped");
      },
    };
  };
  return {
    start,
    started: () => started,
    runs,
    stopped,
    mute: () => {
      mute = true;
    },
    holdBack() {
      const { promise, resolve } = Promise.withResolvers<void>();
      starting = promise;
      return resolve;
    },
  };
}

let runner: ModelRunner | undefined;
afterEach(() => runner?.stop());

function run(script: Behaviour[], held = false) {
  const processes = scriptedProcesses(script);
  const letStart = held ? processes.holdBack() : () => {};
  const loads: number[] = [];
  const losses: number[] = [];
  const failings: string[] = [];
  runner = new ModelRunner({
    id: "m",
    startProcess: processes.start,
    log: createLogger("test", "silent"),
    onLoaded: ({ pid }) => loads.push(pid),
    onLost: () => losses.push(processes.started()),
    onFailing: (reason) => failings.push(reason),
  });
  runner.start();
  return { runner, processes, loads, losses, failings, letStart };
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
    const { runner, processes } = run(["dies on a batch", "dies on a batch", "answers"]);
    await expect(runner.run(batch, 8)).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    expect(processes.runs).toEqual(["1", "1"]);
    expect((await runner.run(batch, 8)).vectors[0]?.[0]).toBe(3);
  });

  test("does not hand out a lost process again", async () => {
    const { runner, letStart, processes } = run(["dies on a batch"]);
    await runner.firstLoaded;
    const startNext = processes.holdBack();
    const retried = runner.run(batch, 8);
    while (processes.started() < 2) await Bun.sleep(1);
    expect({ process: runner.process, answers: runner.answers() }).toEqual({ process: null, answers: false });
    const waiting = runner.run(batch, 8);
    startNext();
    expect((await retried).vectors[0]?.[0]).toBe(2);
    expect((await waiting).vectors[0]?.[0]).toBe(2);
    expect(processes.runs).toEqual(["1", "1", "1"]);
    letStart();
  });

  test("keeps the next process when a batch of the one before fails late", async () => {
    const { runner, processes, loads } = run(["dies, and its batch fails later"]);
    expect((await runner.run(batch, 8)).vectors[0]?.[0]).toBe(2);
    expect({ loads, pid: runner.process?.pid, started: processes.started() }).toEqual({
      loads: [1, 2],
      pid: 2,
      started: 2,
    });
  });

  test("fails at the third loss in a row after an answer", async () => {
    const { runner, losses, failings } = run(["dies on text 13", "dies on text 13", "does not start"]);
    await runner.run(batch, 8);
    await expect(runner.run([Uint32Array.of(13)], 8)).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    while (losses.length < 3) await Bun.sleep(1);
    expect(failings).toEqual(["it did not start"]);
  });

  test("losses with an answer in between are never a failure, however many", async () => {
    const script = Array.from({ length: 8 }, () => "dies on text 13" as const);
    const { runner, losses, failings } = run(script);
    for (let loss = 0; loss < 4; loss += 1) {
      const lost = runner.run([Uint32Array.of(13)], 8);
      await expect(lost).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
      expect((await runner.run(batch, 8)).vectors).toHaveLength(1);
    }
    expect({ state: runner.state, restarts: runner.restarts, failings }).toEqual({
      state: "loaded",
      restarts: 8,
      failings: [],
    });
    // Told before the next one is started.
    expect(losses).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
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
    expect({ started: processes.started(), runs: processes.runs }).toEqual({ started: 1, runs: ["1"] });
  });

  test("computes a refused batch as a whole once, then in parts that are suspect", async () => {
    const { runner, processes } = run(["refuses text 13"]);
    const { refused } = await runner.run([Uint32Array.of(1), Uint32Array.of(13), Uint32Array.of(3)], 8);
    expect([...(refused?.keys() ?? [])]).toEqual([1]);
    expect(processes.runs).toEqual(["1 13 3", "1 13?", "1?", "13?", "3?"]);
    expect(runner.restarts).toBe(0);
  });

  test("computes no other batch between the parts of one, and them afterwards", async () => {
    const { runner, processes } = run(["refuses text 13"]);
    const failing = runner.run([Uint32Array.of(13), Uint32Array.of(2)], 8);
    while (processes.runs.length < 2) await Promise.resolve();
    const other = runner.run(batch, 8);
    await Promise.all([failing, other]);
    expect(processes.runs).toEqual(["13 2", "13?", "2?", "1"]);
  });

  test("computes a batch that has waited for the parts of another one on the process that is there then", async () => {
    const { runner, processes } = run(Array.from({ length: 20 }, () => "dies on text 13" as const));
    const failing = runner.run([Uint32Array.of(2), Uint32Array.of(13)], 8);
    while (processes.runs.length < 3) await Bun.sleep(0);
    const other = runner.run(batch, 8);
    await Promise.all([failing, other]);
    expect(processes.runs.filter((run) => run.startsWith("1") && !run.startsWith("13"))).toEqual(["1"]);
  });

  test("computes two batches in parts one after the other", async () => {
    const { runner, processes } = run(["refuses text 13"]);
    const failing = [2, 3].map((id) => runner.run([Uint32Array.of(13), Uint32Array.of(id)], 8));
    await Promise.all(failing);
    expect(processes.runs).toEqual(["13 2", "13 3", "13?", "2?", "13?", "3?"]);
  });

  test("hands on what is no batch's fault, without another try", async () => {
    const { runner, processes } = run(["has a bug"]);
    await expect(runner.run([Uint32Array.of(1), Uint32Array.of(2)], 8)).rejects.toBeInstanceOf(TypeError);
    expect(processes.runs).toEqual(["1 2"]);
  });

  test("answers as its process does", async () => {
    const { runner, processes } = run(["answers"]);
    expect(runner.answers()).toBe(false);
    await runner.firstLoaded;
    expect(runner.answers()).toBe(true);
    processes.mute();
    expect(runner.answers()).toBe(false);
  });

  test("is started once, however often start is called", async () => {
    const { runner, processes } = run(["answers"]);
    runner.start();
    await runner.firstLoaded;
    await Bun.sleep(0);
    expect(processes.started()).toBe(1);
  });

  test("turns batches away while the process keeps failing to start, and recovers", async () => {
    const { runner, losses, failings } = run(["does not start", "does not start", "does not start", "answers"]);
    await expect(runner.run(batch, 8)).rejects.toMatchObject({
      code: "MODEL_UNAVAILABLE",
      message: "model m can't be loaded at the moment: it did not start",
    });
    expect(runner.state).toBe("failing");
    expect({ losses, failings }).toEqual({ losses: [1, 2, 3], failings: ["it did not start"] });
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

  test("stopped, it ends its process, and the batch in flight is not computed once more", async () => {
    const { runner, processes } = run(["never answers"]);
    await runner.firstLoaded;
    const inFlight = runner.run([Uint32Array.of(1), Uint32Array.of(2)], 8);
    while (processes.runs.length === 0) await Promise.resolve();
    await runner.stop();
    await expect(inFlight).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    expect({ runs: processes.runs, started: processes.started() }).toEqual({ runs: ["1 2"], started: 1 });
    expect(processes.stopped).toContain(1);
  });

  test("stopped while it starts, it refuses the batches that wait, and ends the process that comes", async () => {
    const { runner, processes, letStart, loads } = run(["answers"], true);
    const waiting = runner.run(batch, 8);
    const stopped = runner.stop();
    await expect(waiting).rejects.toMatchObject({
      code: "MODEL_UNAVAILABLE",
      message: "model m is being unloaded",
      retryAfterS: 1,
    });
    letStart();
    await stopped;
    await runner.firstLoaded;
    expect({ loads, stopped: processes.stopped, state: runner.state }).toEqual({
      loads: [],
      stopped: [1],
      state: "stopped",
    });
  });

  test("stopped while it waits to start again, it stops at once", async () => {
    const { runner } = run(["does not start", "does not start", "does not start", "does not start", "does not start"]);
    await expect(runner.run(batch, 8)).rejects.toThrow();
    await runner.stop();
    expect(runner.state).toBe("stopped");
  });
});
