import type { RouteDecision } from "./decide-route.ts";

/** Least time for an attempt while others are left. */
const minAttemptMs = 500;
/** An attempt is given up for another backend after so many times the usual time. */
const patience = 8;
/** Hedges are for a fleet that has room. */
const hedgeBelow = 0.7;
const minHedgeMs = 1;

/**
 * Returns the time that an attempt is given.
 * @param usualMs time in which 95 % of such requests are answered there; null: unknown
 * @param othersLeft false where nobody else could be asked afterwards
 */
export function attemptMs(leftMs: number, usualMs: number | null, othersLeft: boolean): number {
  return othersLeft && usualMs !== null ? Math.min(leftMs, Math.max(minAttemptMs, patience * usualMs)) : leftMs;
}

/** Returns the time after which a second backend is asked too; null: never. */
export function hedgeAfterMs(decision: RouteDecision, usualMs: number | null): number | null {
  if (decision.kind === "refuse" || decision.rule === "all-busy" || usualMs === null) return null;
  return Math.max(minHedgeMs, usualMs);
}

/** Returns true where a second backend has room for a request that is late elsewhere. */
export function mayHedge(decision: RouteDecision, utilization: number): boolean {
  return decision.kind === "route" && decision.rule !== "all-busy" && utilization < hedgeBelow;
}

/** Fractions of the remaining time that a request may wait at the first peers; a later one accepts it however long its queue. */
const waitParts = [1 / 15, 1 / 15, 1 / 12, 1 / 12, 1 / 10, 1 / 8, 1 / 5];

/** Refusals of a request for which asking another backend is no extra work: nothing was computed. More would let a full fleet ask itself in circles. */
export const freeRefusals = waitParts.length;

/**
 * Returns the wait beyond which a peer should refuse at once, so that another that costs the same is asked: its own queue is the only figure
 * that is never old. null: it takes the request in any case.
 * @param refusals peers that refused it so far
 */
export function maxWaitMs(decision: RouteDecision, refusals: number, timeLeftMs: number): number | null {
  const part = waitParts[refusals];
  if (part === undefined || decision.kind === "refuse") return null;
  return decision.equals > 0 ? part * timeLeftMs : null;
}
