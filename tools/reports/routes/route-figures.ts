import { type Answer, type RouteOutcome, warmMs } from "./simulate-routes.ts";

export interface RouteFigures {
  readonly usdPerThousand: number;
  /** Share of the requests that were not answered, or not in time. */
  readonly missedShare: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Attempts beyond the first, and texts computed in vain, as shares of the requests. */
  readonly extraAttempts: number;
  readonly extraWork: number;
  /** Of the cheapest kind. */
  readonly utilization: number;
  /** Utilisation of the fullest server by the mean, of the cheapest kind. */
  readonly fairness: number;
  /** Share of the texts by kind of backend. */
  readonly shares: Readonly<Record<string, number>>;
}

/** Returns a quantile of figures in ascending order; NaN of none. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

const sorted = (figures: readonly number[]) => Float64Array.from(figures).sort();
const sum = (figures: readonly number[]) => figures.reduce((total, figure) => total + figure, 0);

/** Latencies of the answered among requests that came from a time on. */
export const latenciesFrom = (answers: readonly Answer[], fromMs: number): Float64Array =>
  sorted(answers.flatMap(({ atMs, ms, isAnswered }) => (isAnswered && atMs >= fromMs ? [ms] : [])));

/** Sums up a run. Every text that was computed is paid, also in vain. */
export function routeFigures({ answers, servers, before, endMs }: RouteOutcome): RouteFigures {
  const answered = answers.filter(({ isAnswered }) => isAnswered);
  const latencies = sorted(answered.map(({ ms }) => ms));
  const work = servers.map(({ make, computed, busyMs }, index) => ({
    make,
    texts: computed - (before[index]?.computed ?? 0),
    busyMs: busyMs - (before[index]?.busyMs ?? 0),
  }));
  const computed = sum(work.map(({ texts }) => texts));
  const leastUsd = Math.min(...servers.map(({ make }) => make.usdPerRequest));
  const used = work
    .filter(({ make }) => make.usdPerRequest === leastUsd)
    .map(({ busyMs, make }) => busyMs / make.lanes / (endMs - warmMs));
  const shares: Record<string, number> = {};
  for (const { make, texts } of work) shares[make.kind] = (shares[make.kind] ?? 0) + texts / computed;
  return {
    usdPerThousand: (1000 * sum(work.map(({ texts, make }) => texts * make.usdPerRequest))) / answers.length,
    missedShare: answers.filter(({ isAnswered, ms, withinMs }) => !isAnswered || ms > withinMs).length / answers.length,
    failed: answers.length - answered.length,
    p50Ms: quantileOf(latencies, 0.5),
    p95Ms: quantileOf(latencies, 0.95),
    p99Ms: quantileOf(latencies, 0.99),
    extraAttempts: sum(answers.map(({ attempts }) => Math.max(0, attempts - 1))) / answers.length,
    extraWork: computed / Math.max(1, answered.length) - 1,
    utilization: sum(used) / used.length,
    fairness: Math.max(...used) / (sum(used) / used.length),
    shares,
  };
}
