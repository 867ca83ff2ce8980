import type { BatchResult } from "#agent/serving/worker/model-process.ts";
import type { BatchPolicy } from "./decide-batch.ts";
import { decideLane, decideShare, type LaneView, narrowBatches } from "./decide-lane.ts";
import type { LanePlan } from "./decide-lane-plan.ts";

/** Computes batches. */
export interface BatchRunner {
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult>;
}

/** One that can be started when it is needed. */
export interface LaneRunner extends BatchRunner {
  start(): void;
  stop(): Promise<void>;
  readonly state: string;
}

/** A lane that is free: how large its batch may be, and where to send it. */
export interface FreeLane extends BatchRunner {
  readonly policy: BatchPolicy;
}

/** What there is to do. Outstanding is what waits and what is being computed. */
export interface LineView {
  readonly waitingTokens: number;
  readonly outstandingTokens: number;
  readonly outstandingTexts: number;
  /** The first text in the queue belongs to a tenant that has had less than its share. */
  readonly owed?: boolean;
}

/** Who computes the batches of one line. */
export interface Lanes {
  /** The lane that takes the next batch; null when none is free. It counts as busy from its `run` until that has settled. */
  next(line: LineView): FreeLane | null;
}

/** Lanes of which all but the first are started when the model is in use or the line has been long for a while, and stopped when neither is so. */
export interface ModelLanes<Runner extends LaneRunner> extends Lanes {
  /** The lanes beside the first that are running now. */
  running(): readonly Runner[];
  /** Stops the lanes beside the first. */
  stop(): Promise<void>;
}

/** The line counts as long until it has not been for so long: it is short for moments when a large batch has been taken or answered. */
const shortLineMs = 60;
/** A burst is over sooner, and is answered sooner on all threads. */
const longLineMs = 300;
/** A line that is long for less is gone before another process has loaded the model. */
const startAfterMs = 1_000;
const stopAfterMs = 60_000;
/** How long it is looked at before a model counts as in use, and which share of that it must compute. */
const useWindowMs = 10_000;
const inUseShare = 0.1;

/**
 * @param wide the process that is always there, which uses all threads for a batch
 * @param createNarrow makes a process of one thread; not started yet
 * @param options.plan what holds now: which processor computes is known once the model is loaded
 * @param options.nowMs a monotonous clock
 */
export function createModelLanes<Runner extends LaneRunner>(
  wide: BatchRunner,
  createNarrow: () => Runner,
  options: { readonly plan: () => LanePlan; readonly nowMs: () => number },
): ModelLanes<Runner> {
  const { plan, nowMs } = options;
  let narrow: { runner: Runner; batches: number }[] = [];
  let wideBatches = 0;
  let longSinceMs = Number.NEGATIVE_INFINITY;
  let lastLongMs = Number.NEGATIVE_INFINITY;
  /** Of the present window: its start, and how long batches were computed in it. */
  let windowStartMs = nowMs();
  let windowBusyMs = 0;
  let lastInUseMs = Number.NEGATIVE_INFINITY;
  let idleTimer: ReturnType<typeof setTimeout> | undefined;

  const stop = async () => {
    clearTimeout(idleTimer);
    idleTimer = undefined;
    const stopped = narrow;
    narrow = [];
    await Promise.all(stopped.map(({ runner }) => runner.stop()));
  };

  const stopWhenIdle = () => {
    const leftMs = Math.max(lastLongMs, lastInUseMs) + stopAfterMs - nowMs();
    if (leftMs > 0 || narrow.some(({ batches }) => batches > 0)) {
      idleTimer = setTimeout(stopWhenIdle, Math.max(1_000, leftMs));
      idleTimer.unref();
    } else void stop();
  };

  const start = (count: number) => {
    narrow = Array.from({ length: count }, () => ({ runner: createNarrow(), batches: 0 }));
    for (const { runner } of narrow) runner.start();
    stopWhenIdle();
  };

  const noteLine = ({ waitingTokens, outstandingTexts }: LineView, { policy, narrowLanes }: LanePlan): boolean => {
    const now = nowMs();
    // A text for each lane at least: a few long ones are answered sooner by all threads, one after the other.
    if (waitingTokens > 0.75 * policy.maxTokens && outstandingTexts >= Math.max(2, narrowLanes)) {
      if (now - lastLongMs > shortLineMs) longSinceMs = now;
      lastLongMs = now;
      if (narrow.length === 0 && narrowLanes > 0 && now - longSinceMs >= startAfterMs) start(narrowLanes);
    }
    return now - lastLongMs <= shortLineMs && now - longSinceMs >= longLineMs;
  };

  /** A model in use has its narrow lanes before it needs them: so memory does not grow when the load does, and nobody waits for them. */
  const noteUse = ({ narrowLanes, startEarly }: LanePlan) => {
    const now = nowMs();
    const windowMs = now - windowStartMs;
    if (windowMs < useWindowMs) return;
    if (windowBusyMs >= inUseShare * windowMs) {
      lastInUseMs = now;
      if (narrow.length === 0 && narrowLanes > 0 && startEarly) start(narrowLanes);
    }
    windowStartMs = now;
    windowBusyMs = 0;
  };

  const counted = async (run: () => Promise<BatchResult>, count: (change: 1 | -1) => void) => {
    count(1);
    const startedMs = nowMs();
    try {
      return await run();
    } finally {
      windowBusyMs += nowMs() - startedMs;
      count(-1);
    }
  };

  return {
    next(line) {
      const planned = plan();
      const { policy } = planned;
      noteUse(planned);
      const longLine = noteLine(line, planned);
      const views: LaneView[] = [
        { kind: "wide", ready: true, batches: wideBatches, mostBatches: planned.wideBatches },
        ...narrow.map(({ runner, batches }) => ({
          kind: "narrow" as const,
          mostBatches: narrowBatches,
          ready: runner.state === "loaded",
          batches,
        })),
      ];
      const share = decideShare(line.outstandingTokens, narrow.length, policy.maxTokens);
      const full = line.waitingTokens >= (narrow.length === 0 ? policy.maxTokens : share);
      const { lane } = decideLane(views, longLine, full, line.owed);
      if (lane === null) return null;
      const chosen = narrow[lane - 1];
      if (chosen === undefined) {
        const count = (change: 1 | -1) => {
          wideBatches += change;
        };
        return { policy, run: (texts, padded) => counted(() => wide.run(texts, padded), count) };
      }
      const count = (change: 1 | -1) => {
        chosen.batches += change;
      };
      return {
        policy: { ...policy, maxTokens: share },
        run: (texts, padded) => counted(() => chosen.runner.run(texts, padded), count),
      };
    },
    running: () => narrow.map(({ runner }) => runner),
    stop,
  };
}
