import type { BatchResult } from "#agent/serving/worker/model-process.ts";
import { minuteMs } from "#platform/time.ts";
import type { BatchPolicy } from "./decide-batch.ts";
import { decideLane, decideShare, type LaneView, narrowBatches } from "./decide-lane.ts";
import type { LanePlan } from "./decide-lane-plan.ts";

export interface BatchRunner {
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult>;
}

/** A runner that can be started when it is needed. */
export interface LaneRunner extends BatchRunner {
  start(): void;
  stop(): Promise<void>;
  /** Stops its process until it is resumed: what it computes waits, and the processors are free. */
  pause(): void;
  resume(): void;
  readonly state: string;
}

/** A lane that is free, with the limits of its next batch. */
export interface FreeLane extends BatchRunner {
  readonly policy: BatchPolicy;
}

/** The work of a model. Outstanding: waiting or being computed. */
export interface QueueView {
  readonly waitingTokens: number;
  readonly outstandingTokens: number;
  readonly outstandingTexts: number;
  /** The first text in the queue belongs to a tenant that has had less than its share. */
  readonly owed?: boolean;
}

/** The processes that compute a queue's batches. */
export interface Lanes {
  /** The lane for the next batch; null when none is free. It counts as busy from its `run` until that has settled. */
  next(queue: QueueView): FreeLane | null;
}

interface Lane<Runner extends BatchRunner> {
  readonly runner: Runner;
  /** Batches that it was given and has not answered, oldest first, with the time for which each was paused. */
  readonly batches: { pausedMs: number }[];
}

const laneOf = <Runner extends BatchRunner>(runner: Runner): Lane<Runner> => ({ runner, batches: [] });

/** The queue counts as long for this time after it was: it is short for moments when a large batch is sent or answered. */
const shortQueueMs = 60;
/** A burst is over sooner, and is answered sooner on all threads. */
const longQueueMs = 300;
/** A queue that is long for less is empty before another process has loaded the model. */
const startAfterMs = 1_000;
const stopAfterMs = minuteMs;
/** A model is in use when it computes for this share of this time. */
const useWindowMs = 10_000;
const inUseShare = 0.1;

/**
 * A wide lane, which is always there and uses all threads for a batch, and narrow lanes of one thread each. The narrow ones are started when the
 * model is in use or its queue has been long for a while, and stopped when neither is so.
 */
export class ModelLanes<Runner extends LaneRunner> implements Lanes {
  readonly #wide: Lane<BatchRunner>;
  readonly #createNarrow: () => Runner;
  readonly #plan: () => LanePlan;
  readonly #nowMs: () => number;
  #narrow: Lane<Runner>[] = [];
  #longSinceMs = Number.NEGATIVE_INFINITY;
  #lastLongMs = Number.NEGATIVE_INFINITY;
  /** Start of the present use window, and the time in it in which batches were computed. */
  #windowStartMs: number;
  #windowBusyMs = 0;
  #lastInUseMs = Number.NEGATIVE_INFINITY;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  /** Batches of tenants below their share, for which the narrow lanes are paused. */
  #pauses = 0;
  #pausedSinceMs = 0;

  /**
   * @param createNarrow returns a process of one thread, not yet started
   * @param options.plan the present plan: the processor is known once the model is loaded
   */
  constructor(
    wide: BatchRunner,
    createNarrow: () => Runner,
    options: { readonly plan: () => LanePlan; readonly nowMs: () => number },
  ) {
    this.#wide = laneOf(wide);
    this.#createNarrow = createNarrow;
    this.#plan = options.plan;
    this.#nowMs = options.nowMs;
    this.#windowStartMs = options.nowMs();
  }

  next(queue: QueueView): FreeLane | null {
    const plan = this.#plan();
    const { policy } = plan;
    this.#noteUse(plan);
    const longQueue = this.#noteQueue(queue, plan);
    const views: LaneView[] = [
      { kind: "wide", ready: true, batches: this.#wide.batches.length, maxBatches: plan.wideBatches },
      ...this.#narrow.map(({ runner, batches }) => ({
        kind: "narrow" as const,
        ready: runner.state === "loaded",
        batches: batches.length,
        maxBatches: narrowBatches,
      })),
    ];
    const share = decideShare(queue.outstandingTokens, this.#narrow.length, policy.maxTokens);
    const full = queue.waitingTokens >= (this.#narrow.length === 0 ? policy.maxTokens : share);
    const { lane, rule } = decideLane(views, longQueue, full, queue.owed);
    if (lane === null) return null;
    const narrow = this.#narrow[lane - 1];
    return {
      policy: narrow === undefined ? policy : { ...policy, maxTokens: share },
      run: (texts, padded) =>
        rule === "owed-tenant" ? this.#runAlone(texts, padded) : this.#run(narrow ?? this.#wide, texts, padded),
    };
  }

  running(): readonly Runner[] {
    return this.#narrow.map(({ runner }) => runner);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    const stopped = this.#narrow;
    this.#narrow = [];
    await Promise.all(stopped.map(({ runner }) => runner.stop()));
  }

  #start(count: number): void {
    this.#narrow = Array.from({ length: count }, () => laneOf(this.#createNarrow()));
    for (const { runner } of this.#narrow) runner.start();
    this.#stopWhenIdle();
  }

  #stopWhenIdle(): void {
    const leftMs = Math.max(this.#lastLongMs, this.#lastInUseMs) + stopAfterMs - this.#nowMs();
    if (leftMs > 0 || this.#narrow.some(({ batches }) => batches.length > 0)) {
      this.#idleTimer = setTimeout(() => this.#stopWhenIdle(), Math.max(1_000, leftMs));
      this.#idleTimer.unref();
    } else void this.stop();
  }

  /** Starts the narrow lanes where the queue has been long enough. @returns whether it counts as long. */
  #noteQueue({ waitingTokens, outstandingTexts }: QueueView, { policy, narrowLanes }: LanePlan): boolean {
    const now = this.#nowMs();
    // At least one text per lane: a few long ones are answered sooner by all threads, one after the other.
    if (waitingTokens > 0.75 * policy.maxTokens && outstandingTexts >= Math.max(2, narrowLanes)) {
      if (now - this.#lastLongMs > shortQueueMs) this.#longSinceMs = now;
      this.#lastLongMs = now;
      if (this.#narrow.length === 0 && narrowLanes > 0 && now - this.#longSinceMs >= startAfterMs)
        this.#start(narrowLanes);
    }
    return now - this.#lastLongMs <= shortQueueMs && now - this.#longSinceMs >= longQueueMs;
  }

  /** Starts the narrow lanes of a model in use early, so that memory does not grow with the load and no request waits for them. */
  #noteUse({ narrowLanes, startEarly }: LanePlan): void {
    const now = this.#nowMs();
    const windowMs = now - this.#windowStartMs;
    if (windowMs < useWindowMs) return;
    if (this.#windowBusyMs >= inUseShare * windowMs) {
      this.#lastInUseMs = now;
      if (this.#narrow.length === 0 && narrowLanes > 0 && startEarly) this.#start(narrowLanes);
    }
    this.#windowStartMs = now;
    this.#windowBusyMs = 0;
  }

  /**
   * Computes a batch on all threads while the narrow lanes are paused: a tenant below its share is answered as soon as if it were alone. Without
   * the pause, two processes of niceness 5 beside it made its slowest answers take twice as long.
   */
  async #runAlone(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> {
    const paused = this.#narrow;
    if (this.#pauses === 0) {
      this.#pausedSinceMs = this.#nowMs();
      for (const { runner } of paused) runner.pause();
    }
    this.#pauses += 1;
    try {
      return await this.#run(this.#wide, texts, paddedTokens);
    } finally {
      this.#pauses -= 1;
      if (this.#pauses === 0) this.#resume(paused);
    }
  }

  #resume(lanes: readonly Lane<Runner>[]): void {
    const pausedMs = this.#nowMs() - this.#pausedSinceMs;
    for (const { runner, batches } of lanes) {
      const [computing] = batches;
      if (computing !== undefined) computing.pausedMs += pausedMs;
      runner.resume();
    }
  }

  async #run(lane: Lane<BatchRunner>, texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult> {
    const result = lane.runner.run(texts, paddedTokens);
    const batch = { pausedMs: 0 };
    lane.batches.push(batch);
    const startedMs = this.#nowMs();
    try {
      const answer = await result;
      return batch.pausedMs === 0 ? answer : { ...answer, computeMs: Math.max(0, answer.computeMs - batch.pausedMs) };
    } finally {
      this.#windowBusyMs += this.#nowMs() - startedMs;
      lane.batches.splice(lane.batches.indexOf(batch), 1);
    }
  }
}
