import { arrivalTimes } from "#tools/load/arrival-times.ts";
import type { StepSample } from "#tools/load/limit/step-sample.ts";

/** Pseudo-random numbers from 0 to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface QueueModel {
  /** Requests per second that the server computes, one after the other. */
  readonly capacity: number;
  /** Spread of the service times around their mean: 0 all alike, 1 exponential. */
  readonly noise: number;
  /** Length of the queue beyond which it answers 429. */
  readonly maxQueue?: number;
  /** Requests per second that the generator can send. */
  readonly generatorRate?: number;
}

/** Measures what a queue with one server does at a rate, from an empty queue on; the warm-up is left out. */
export function simulateStep(model: QueueModel, rate: number, durationMs: number, random: () => number): StepSample {
  const { capacity, noise, maxQueue = Number.POSITIVE_INFINITY, generatorRate = Number.POSITIVE_INFINITY } = model;
  const warmUpMs = 1_000;
  const meanMs = 1_000 / capacity;
  const requests: StepSample["requests"][number][] = [];
  const ends: number[] = [];
  let freeMs = 0;
  let sentMs = Number.NEGATIVE_INFINITY;
  for (const dueMs of arrivalTimes({ durationMs: warmUpMs + durationMs, level: rate }, "poisson", random)) {
    sentMs = Math.max(dueMs, sentMs + 1_000 / generatorRate);
    while (ends.length > 0 && (ends[0] as number) <= sentMs) ends.shift();
    const full = ends.length > maxQueue;
    if (!full) {
      freeMs = Math.max(sentMs, freeMs) + meanMs * (1 - noise - noise * Math.log(1 - random()));
      ends.push(freeMs);
    }
    const endMs = full ? sentMs : freeMs;
    if (dueMs < warmUpMs) continue;
    requests.push({
      dueMs: dueMs - warmUpMs,
      outcome: full ? "HTTP 429" : "ok",
      latencyMs: endMs - dueMs,
      lateMs: sentMs - dueMs,
    });
  }
  return { rate, durationMs, requests };
}
