/** Starts of the periodic runs that have not ended, by `performance.now()`. */
const starts = new Set<{ readonly startedMs: number }>();

/** Notes that a periodic run begins. Returns what notes its end. */
export function noteRun(): () => void {
  const run = { startedMs: performance.now() };
  starts.add(run);
  return () => void starts.delete(run);
}

/** Time for which the longest of the present periodic runs has lasted, ms; 0 without one. */
export function longestRunMs(): number {
  let longestMs = 0;
  for (const { startedMs } of starts) longestMs = Math.max(longestMs, performance.now() - startedMs);
  return longestMs;
}
