import type { ModeChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";

/** A change that left the fleet with less. */
export interface WatchedChange {
  readonly atMs: number;
  readonly kind: "scale-in" | "lower-modes" | "policy";
  /** Agents that were put on standby. */
  readonly stoodBy: readonly string[];
  /** Modes that agents were in before they were lowered. */
  readonly modes: readonly ModeChange[];
  /** Rate at which the error budget was used before it. */
  readonly burnBefore: number;
}

/** Time for which no capacity is removed again, and its last length, which the next return doubles. */
export interface HoldOff {
  readonly untilMs: number;
  readonly lengthMs: number;
}

export interface ReturnDecision {
  readonly rule: "returned";
  readonly kinds: readonly WatchedChange["kind"][];
  readonly activate: readonly string[];
  readonly modes: readonly ModeChange[];
  /** Rate at which the error budget is used, before the changes and now. */
  readonly burnBefore: number;
  readonly burn: number;
  /** Time since the newest of the changes. */
  readonly afterMs: number;
  readonly holdOff: HoldOff;
}

/** Time after a change in which what users feel is held against it. */
export const watchedForMs = 10 * minuteMs;
const shortestHoldOffMs = 10 * minuteMs;
export const longestHoldOffMs = 4 * hourMs;
/** Time without a return after which the next hold-off is a short one again. */
const forgottenAfterMs = dayMs;

export const noHoldOff: HoldOff = { untilMs: Number.NEGATIVE_INFINITY, lengthMs: 0 };

/**
 * Decides whether changes of the last minutes are reversed: since then the error budget is used up faster than it may be, and faster than
 * before. No capacity is removed again for ten minutes, doubled with each return of a day, up to four hours.
 */
export function decideReturn(
  changes: readonly WatchedChange[],
  burn: number,
  before: HoldOff,
  nowMs: number,
): ReturnDecision | null {
  const costly = changes.filter(
    ({ atMs, burnBefore }) => nowMs >= atMs && nowMs - atMs <= watchedForMs && burn > Math.max(1, burnBefore),
  );
  const newest = costly.at(-1);
  if (newest === undefined) return null;
  const isForgotten = nowMs - before.untilMs > forgottenAfterMs;
  const lengthMs = isForgotten
    ? shortestHoldOffMs
    : Math.min(longestHoldOffMs, Math.max(shortestHoldOffMs, 2 * before.lengthMs));
  // Of several changes of one agent's mode the oldest says what was before.
  const modes = new Map(
    costly.toReversed().flatMap((change) => change.modes.map((each) => [each.agentId, each] as const)),
  );
  return {
    rule: "returned",
    kinds: [...new Set(costly.map(({ kind }) => kind))],
    activate: [...new Set(costly.flatMap(({ stoodBy }) => stoodBy))],
    modes: [...modes.values()],
    burnBefore: Math.max(...costly.map(({ burnBefore }) => burnBefore)),
    burn,
    afterMs: nowMs - newest.atMs,
    holdOff: { untilMs: nowMs + lengthMs, lengthMs },
  };
}
