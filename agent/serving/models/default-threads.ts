import { availableParallelism } from "node:os";

/** A small encoder gains little from more threads on one batch, and the device has other work. */
const mostThreads = 4;

/** Threads that compute where the configuration does not say: one a core that this process may use, up to four. */
export function defaultThreads(): number {
  return Math.min(mostThreads, availableParallelism());
}
