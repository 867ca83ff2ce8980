/**
 * How long to wait before something that failed is tried again: `firstMs` after the first failure, then twice as long each time.
 * @param failuresInRow failures without a success in between, from 1.
 */
export function doublingDelayMs(failuresInRow: number, firstMs: number, longestMs: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.max(0, failuresInRow - 1));
}
