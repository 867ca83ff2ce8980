/**
 * Delay before the next attempt: `firstMs` after the first failure, then twice as long after each one.
 * @param failuresInRow failures since the last success, from 1
 */
export function doublingDelayMs(failuresInRow: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.max(0, failuresInRow - 1));
}
