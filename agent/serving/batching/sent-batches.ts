import { BatchFailedError } from "#agent/serving/worker/model-process.ts";
import { type BatchDecision, batchCost } from "./decide-batch.ts";
import type { FairQueue } from "./fair-queue.ts";
import type { FreeLane } from "./model-lanes.ts";
import type { ModelSpeed, RunningBatch } from "./model-speed.ts";
import type { QueuedTexts } from "./queued-texts.ts";
import { RefusedTextError } from "./refused-texts.ts";
import type { QueuedText } from "./tenant-texts.ts";
import { addWork, noWork, type Work } from "./work-record.ts";

export interface SentBatch extends BatchDecision {
  /** Tokens of the texts themselves, without padding. */
  readonly usefulTokens: number;
  readonly waitsMs: readonly number[];
}

/** Batches that are sent at the same moment. */
export interface Sending {
  /** Texts stay in the queue because nothing can take them. */
  leavesTexts: boolean;
}

interface SentBatchesParts {
  readonly texts: QueuedTexts;
  readonly fair: FairQueue;
  readonly speed: ModelSpeed;
  readonly nowMs: () => number;
  /** Time that the board's capacity takes for so many texts. */
  readonly boardMs: (texts: number) => number;
  readonly onBatch: (batch: SentBatch) => void;
  /** Is called when a batch is over, computed or not. */
  readonly onEnd: () => void;
}

/** The batches that a model was given: settles their texts, and sums up their work. */
export class SentBatches {
  readonly #parts: SentBatchesParts;
  #work = noWork;

  constructor(parts: SentBatchesParts) {
    this.#parts = parts;
  }

  /** Work since the queue was opened. */
  get work(): Work {
    return this.#work;
  }

  /**
   * Has a lane compute a batch, and settles its texts.
   * @param turns the texts that the decision chose from
   */
  async run(lane: FreeLane, batch: BatchDecision, turns: readonly QueuedText[], sending: Sending): Promise<void> {
    const entries = this.#take(batch, turns);
    const { texts, speed, nowMs } = this.#parts;
    const sentMs = nowMs();
    const usefulTokens = entries.reduce((sum, entry) => sum + entry.tokens, 0);
    const boardMs = this.#parts.boardMs(entries.length);
    const running = speed.startBatch(entries.length, batch.paddedTokens, usefulTokens, sentMs, boardMs);
    this.#parts.onBatch({ ...batch, usefulTokens, waitsMs: entries.map((entry) => sentMs - entry.arrivedMs) });
    try {
      const result = await lane.run(
        entries.map((entry) => entry.ids),
        batch.paddedTokens,
      );
      // A simulated board takes longer than this machine.
      const computeMs = Math.max(result.computeMs, boardMs) / entries.length;
      let answered = 0;
      for (const [index, entry] of entries.entries()) {
        // A text whose requests have all ended was computed anyway.
        answered += Math.max(1, entry.waiters.size);
        const cause = result.refused?.get(index);
        if (cause !== undefined) {
          const refusal = new RefusedTextError(entry.key, cause);
          entry.texts.refused.add(entry.key, refusal);
          texts.finish(entry, (waiter) => waiter.reject(refusal));
          continue;
        }
        const vector = result.vectors[index];
        if (vector === undefined) throw new Error("the model returned fewer vectors than texts. This is a bug.");
        const waitMs = sentMs - entry.arrivedMs;
        texts.finish(entry, (waiter, first) => waiter.resolve({ vector, computeMs: first ? computeMs : 0, waitMs }));
      }
      const busyMs = speed.measure(running, result.computeMs, nowMs());
      this.#noteWork(running, answered / entries.length, busyMs, result.computeMs, sending);
    } catch (error) {
      const [only] = entries;
      const isOfText = entries.length === 1 && error instanceof BatchFailedError;
      const reason = isOfText && only !== undefined ? new RefusedTextError(only.key, error) : error;
      for (const entry of entries)
        if (entry.texts.byKey.get(entry.key) === entry) texts.finish(entry, (waiter) => waiter.reject(reason));
    } finally {
      speed.endBatch(running);
      this.#parts.onEnd();
    }
  }

  /** Takes the texts of a batch out of the queue, at their tenants' charge. */
  #take(batch: BatchDecision, turns: readonly QueuedText[]): QueuedText[] {
    const { fair, nowMs, texts: queued } = this.#parts;
    const entries = batch.take.map((index) => turns[index] as QueuedText);
    const cost = batchCost(entries.length, batch.paddedTokens) / entries.length;
    const sentMs = nowMs();
    for (const { claim, texts } of entries) {
      fair.charge(claim.turn, cost);
      texts.recentWork.record(claim.size, cost, sentMs);
    }
    queued.markSent(entries);
    return entries;
  }

  /** @param repeats answers by computed text: a text that several ask for at once is computed once, and is demand each time. */
  #noteWork(batch: RunningBatch, repeats: number, busyMs: number, computeMs: number, { leavesTexts }: Sending): void {
    const { texts, paddedTokens, usefulTokens, boardMs } = batch;
    const computedCost = batchCost(texts, paddedTokens);
    const waitingMs = this.#parts.texts.waitingTexts > 0 ? busyMs : 0;
    this.#work = addWork(this.#work, {
      ...{ texts: texts * repeats, tokens: usefulTokens * repeats, cost: computedCost * repeats },
      ...{ batches: 1, computedCost, computeMs },
      ...{ busyMs, waitingMs, leftMs: leavesTexts ? waitingMs : 0, boardMs },
    });
  }
}
