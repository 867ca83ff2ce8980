import { type BatchDecision, type BatchPolicy, decideBatch } from "./decide-batch.ts";
import type { BatchResult } from "./worker/model-process.ts";

/** Computes batches, one at a time. */
export interface BatchRunner {
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<BatchResult>;
}

export interface QueuedVector {
  /** Shared with others who asked for the same text: not to be changed. Not normalised. */
  readonly vector: Float32Array;
  /** This text's share of its batch's inference time; 0 for those who shared another's computation. */
  readonly computeMs: number;
}

export interface EmbeddingQueue {
  /**
   * The vector of a text. Texts that are the same as one that waits or is being computed are computed once.
   * Rejects with the signal's reason when it aborts; what nobody waits for any more is not computed.
   */
  embed(ids: Uint32Array, signal: AbortSignal): Promise<QueuedVector>;
  /** Texts that wait for a batch. */
  depth(): number;
}

interface Waiter {
  resolve(result: QueuedVector): void;
  reject(error: unknown): void;
}

interface Entry {
  readonly key: string;
  readonly ids: Uint32Array;
  readonly tokens: number;
  readonly waiters: Set<Waiter>;
}

function keyOf(ids: Uint32Array): string {
  return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString("latin1");
}

/** @param onBatch is told of every batch that was sent. */
export function createEmbeddingQueue(
  runner: BatchRunner,
  policy: BatchPolicy,
  onBatch: (batch: BatchDecision) => void,
): EmbeddingQueue {
  let waiting: Entry[] = [];
  /** Waiting and being computed, by the text's tokens. */
  const byKey = new Map<string, Entry>();
  let pumping = false;

  const finish = (entry: Entry, settle: (waiter: Waiter, first: boolean) => void) => {
    byKey.delete(entry.key);
    let first = true;
    for (const waiter of entry.waiters) {
      settle(waiter, first);
      first = false;
    }
  };

  const runBatch = async (batch: BatchDecision) => {
    const taken = new Set(batch.take);
    const entries = waiting.filter((_, index) => taken.has(index));
    waiting = waiting.filter((_, index) => !taken.has(index));
    onBatch(batch);
    try {
      const result = await runner.run(
        entries.map((entry) => entry.ids),
        batch.paddedTokens,
      );
      const computeMs = result.computeMs / entries.length;
      for (const [index, entry] of entries.entries()) {
        const vector = result.vectors[index];
        if (vector === undefined) throw new Error("the model answered with fewer vectors than texts. This is a bug.");
        finish(entry, (waiter, first) => waiter.resolve({ vector, computeMs: first ? computeMs : 0 }));
      }
    } catch (error) {
      for (const entry of entries) finish(entry, (waiter) => waiter.reject(error));
    }
  };

  const pump = async () => {
    // Everything that arrives in the same turn (the texts of one request, requests read together) joins the first batch.
    await Promise.resolve();
    for (;;) {
      const batch = decideBatch(waiting, policy);
      if (batch === null) break;
      await runBatch(batch);
    }
    pumping = false;
  };

  return {
    depth: () => waiting.length,
    embed(ids, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      const { promise, resolve, reject } = Promise.withResolvers<QueuedVector>();
      const key = keyOf(ids);
      const known = byKey.get(key);
      const entry = known ?? { key, ids, tokens: ids.length, waiters: new Set() };
      const leave = () => {
        entry.waiters.delete(waiter);
        reject(signal.reason);
        if (entry.waiters.size > 0 || !waiting.includes(entry)) return;
        waiting = waiting.filter((other) => other !== entry);
        byKey.delete(key);
      };
      const waiter: Waiter = {
        resolve(result) {
          signal.removeEventListener("abort", leave);
          resolve(result);
        },
        reject(error) {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      entry.waiters.add(waiter);
      if (known === undefined) {
        byKey.set(key, entry);
        waiting.push(entry);
        if (!pumping) {
          pumping = true;
          void pump();
        }
      }
      return promise;
    },
  };
}
