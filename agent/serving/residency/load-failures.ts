import { doublingDelayMs } from "#platform/doubling-delay.ts";

export interface LoadFailure {
  readonly reason: string;
  /** Until when requests are turned away with the reason instead of trying again, in seconds from now. */
  readonly retryAfterS: number;
}

/** Which models could not be loaded of late, so that not every request for one starts a process that ends in the same way. */
export interface LoadFailures {
  /** @returns after how many seconds the next try makes sense. */
  record(id: string, reason: string): number;
  /** It was loaded. */
  forget(id: string): void;
  /** The last failure while it is too early to try again; null otherwise. */
  holding(id: string): LoadFailure | null;
  /** The last failure, if the model has not been loaded since. */
  last(id: string): LoadFailure | null;
}

const firstHoldMs = 5_000;
const longestHoldMs = 300_000;

export function createLoadFailures(nowMs: () => number): LoadFailures {
  const byId = new Map<string, { readonly reason: string; readonly inRow: number; readonly untilMs: number }>();
  const last = (id: string): LoadFailure | null => {
    const failure = byId.get(id);
    if (failure === undefined) return null;
    return { reason: failure.reason, retryAfterS: Math.max(1, Math.ceil((failure.untilMs - nowMs()) / 1000)) };
  };
  return {
    record(id, reason) {
      const inRow = (byId.get(id)?.inRow ?? 0) + 1;
      const holdMs = doublingDelayMs(inRow, firstHoldMs, longestHoldMs);
      byId.set(id, { reason, inRow, untilMs: nowMs() + holdMs });
      return holdMs / 1000;
    },
    forget: (id) => void byId.delete(id),
    holding: (id) => ((byId.get(id)?.untilMs ?? 0) > nowMs() ? last(id) : null),
    last,
  };
}
