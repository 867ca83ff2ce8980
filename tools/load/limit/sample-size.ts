import type { LoadTargets } from "../load-targets.ts";

/** Number of requests that are expected beyond a quantile, so that chance moves it little. */
const beyond = 10;
const shares = { p50: 0.5, p95: 0.05, p99: 0.01, max: 0.1 } as const;

/** Number of requests that a latency target needs: 200 for p95, 1,000 for p99. */
export function requestsForLatency(name: keyof typeof shares): number {
  return Math.ceil(beyond / shares[name] - 1e-9);
}

/** Number of requests that the targets need at least. A share of errors of 0.1 % would need minutes: for those a step tells what it saw. */
export function requestsNeeded(targets: LoadTargets): number {
  const names = Object.keys(targets.latencyMs) as (keyof typeof shares)[];
  return Math.max(requestsForLatency("max"), ...names.map(requestsForLatency));
}
