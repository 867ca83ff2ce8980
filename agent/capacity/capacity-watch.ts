import type { EmbeddingQueue } from "#agent/serving/batching/embedding-queue.ts";
import { type Work, workBetween } from "#agent/serving/batching/work-record.ts";
import type { Logger } from "#platform/log.ts";
import type { CapacityEstimate } from "#protocol/messages.ts";
import type { CapacityEstimates } from "./capacity-estimates.ts";

/** A loaded model and its queue. */
export interface WatchedModel {
  readonly id: string;
  readonly queue: Pick<EmbeddingQueue, "measurements">;
}

export interface CapacityWatchParts {
  readonly estimates: CapacityEstimates;
  readonly models: () => readonly WatchedModel[];
  /** Name of the present power mode; null: unknown. */
  readonly modeName: () => string | null;
  /** Returns true when requests were refused for want of capacity since the last call, and others were in progress all the time. */
  readonly overloaded: () => boolean;
  /** Requests refused for want of capacity so far. */
  readonly refusals: () => number;
  /** A monotonic clock. */
  readonly realMs: () => number;
  /** Speed of the agent's clock, in whose time all rates are. */
  readonly speed: number;
  readonly log: Logger;
}

/** Change of an estimate that is logged. */
const notableFactor = 1.5;

interface Stretch {
  readonly atMs: number;
  readonly modeName: string | null;
  readonly refusals: number;
  readonly done: ReadonlyMap<WatchedModel["queue"], Work>;
}

/** Reads the models' queues every few seconds and corrects the estimates by their performance. */
export class CapacityWatch {
  readonly #parts: CapacityWatchParts;
  #last: Stretch | null = null;

  constructor(parts: CapacityWatchParts) {
    this.#parts = parts;
  }

  /** Ends a stretch; one in which the power mode changed says nothing. */
  observe(): void {
    const { estimates, models, modeName: currentMode, realMs, speed, log } = this.#parts;
    const modeName = currentMode();
    const atMs = realMs();
    const watched = models();
    const overloaded = this.#parts.overloaded();
    const refusals = this.#parts.refusals();
    const before = this.#last;
    const done = new Map(watched.map(({ queue }) => [queue, queue.measurements().work]));
    this.#last = { atMs, modeName, refusals, done };
    if (before === null || before.modeName !== modeName) return;
    for (const { id, queue } of watched) {
      const then = before.done.get(queue);
      if (then === undefined) continue;
      const work = workBetween(then, queue.measurements().work);
      const windowMs = (atMs - before.atMs) * speed;
      const warmUp = this.#warmUp(queue);
      const known = estimates.of(id, modeName, warmUp)?.qps ?? 0;
      const rule = estimates.observe(id, modeName, warmUp, {
        ...work,
        computeMs: work.computeMs * speed,
        busyMs: work.busyMs * speed,
        waitingMs: work.waitingMs * speed,
        leftMs: work.leftMs * speed,
        boardMs: work.boardMs * speed,
        windowMs,
        refused: refusals > before.refusals,
        // Who of several models was the cause is unknown.
        overloaded: overloaded && watched.length === 1,
      });
      const qps = estimates.of(id, modeName, warmUp)?.qps ?? 0;
      if (Math.max(qps, known) > notableFactor * Math.min(qps, known))
        log.info({ model: id, mode: modeName, rule, from: known, to: qps }, "capacity measured anew, texts per second");
    }
  }

  /** Returns the estimates for the loaded models in the present mode. */
  present(): CapacityEstimate[] {
    const { estimates, models, modeName } = this.#parts;
    return models().flatMap(({ id, queue }) => estimates.of(id, modeName(), this.#warmUp(queue)) ?? []);
  }

  /** Tokens per second of the warm-up, in the agent's time. */
  #warmUp(queue: WatchedModel["queue"]): number | null {
    const { warmUpSpeed } = queue.measurements();
    return warmUpSpeed === null ? null : (warmUpSpeed * 1000) / this.#parts.speed;
  }
}
