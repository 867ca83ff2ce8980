import { batchCost } from "#agent/serving/batching/decide-batch.ts";
import { type LaneRunner, ModelLanes } from "#agent/serving/batching/model-lanes.ts";
import type { BatchResult } from "#agent/serving/worker/model-process.ts";
import type { SimulatedClock } from "./simulated-queue.ts";

interface Batch {
  readonly texts: number;
  left: number;
  readonly sentMs: number;
  readonly done: PromiseWithResolvers<BatchResult>;
}

interface Process {
  readonly kind: "wide" | "narrow";
  readonly batches: Batch[];
  paused: boolean;
  /** Work a millisecond at present. */
  speed: number;
}

/** Work a millisecond of one thread with a processor of its own, and the part that two threads of a process lose by waiting for each other. */
const perThread = 5.8;
const wideShare = 0.86;
/** Linux' weights of niceness 0 and 5. */
const weights = { wide: 1024, narrow: 335 } as const;

/**
 * A model's processes on two processors: one with two threads, and two with one thread each, which share the processors by their niceness. What
 * several compute at the same time slows all of them down, as it does on a machine.
 * @param pauses false: processes go on when they are told to pause
 */
export function simulateProcesses(clock: SimulatedClock, pauses: boolean): ModelLanes<LaneRunner> {
  const processes: Process[] = [];
  let lastMs = 0;
  let version = 0;
  const isBusy = ({ batches, paused }: Process) => batches.length > 0 && !paused;

  /** Brings all batches to the present, and looks when the next one is done. */
  const settle = () => {
    const nowMs = clock.now();
    for (const process of processes) {
      const [computing] = process.batches;
      if (computing !== undefined) computing.left -= process.speed * (nowMs - lastMs);
    }
    lastMs = nowMs;
    for (const { batches } of processes) {
      const [computing] = batches;
      if (computing === undefined || computing.left > 1e-6) continue;
      batches.shift();
      computing.done.resolve({
        vectors: Array.from({ length: computing.texts }, () => Float32Array.of(1)),
        computeMs: nowMs - computing.sentMs,
      });
    }
    const wide = processes.find((process) => process.kind === "wide" && isBusy(process));
    const narrow = processes.filter((process) => process.kind === "narrow" && isBusy(process));
    const wideWeight = wide === undefined ? 0 : weights.wide;
    for (const process of processes) process.speed = 0;
    for (const process of narrow) process.speed = (perThread * weights.narrow) / (weights.narrow + wideWeight);
    // Its threads wait for the slower one.
    if (wide !== undefined)
      wide.speed = (2 * perThread * wideShare * wideWeight) / (wideWeight + (narrow.length > 0 ? weights.narrow : 0));
    version += 1;
    const mine = version;
    const nextMs = Math.min(
      ...processes.filter(isBusy).map(({ batches, speed }) => (batches[0] as Batch).left / speed),
    );
    if (Number.isFinite(nextMs)) clock.at(nowMs + nextMs, () => mine === version && settle());
  };

  const create = (kind: Process["kind"]): LaneRunner => {
    const process: Process = { kind, batches: [], paused: false, speed: 0 };
    processes.push(process);
    const pause = (paused: boolean) => {
      if (!pauses) return;
      settle();
      process.paused = paused;
      settle();
    };
    return {
      state: "loaded",
      start() {},
      stop: async () => {},
      pause: () => pause(true),
      resume: () => pause(false),
      run(texts, paddedTokens) {
        settle();
        const done = Promise.withResolvers<BatchResult>();
        const left = batchCost(texts.length, paddedTokens);
        process.batches.push({ texts: texts.length, left, sentMs: clock.now(), done });
        settle();
        return done.promise;
      },
    };
  };
  return new ModelLanes(create("wide"), () => create("narrow"), {
    plan: () => ({
      policy: { maxTokens: 256, maxTexts: 32, padTo: "longest" },
      ...{ narrowLanes: 2, startEarly: true, wideBatches: 1, rule: "cpu" as const },
    }),
    nowMs: clock.now,
  });
}
