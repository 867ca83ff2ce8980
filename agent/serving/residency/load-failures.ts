import { doublingDelayMs } from "#platform/doubling-delay.ts";
import { minuteMs } from "#platform/time.ts";

/** Models that could not be loaded recently, so that not every request for one starts a process that fails again. */
export type LoadFailures = ReturnType<typeof createLoadFailures>;

const firstHoldMs = 5_000;
const maxHoldMs = 5 * minuteMs;

export function createLoadFailures(nowMs: () => number) {
  const byId = new Map<string, { readonly reason: string; readonly inRow: number; readonly untilMs: number }>();
  /** `retryAfterS`: seconds for which requests are refused with the reason instead of trying again. */
  const last = (id: string) => {
    const failure = byId.get(id);
    if (failure === undefined) return null;
    return { reason: failure.reason, retryAfterS: Math.max(1, Math.ceil((failure.untilMs - nowMs()) / 1000)) };
  };
  return {
    /** Returns the seconds until the next try. */
    record(id: string, reason: string): number {
      const inRow = (byId.get(id)?.inRow ?? 0) + 1;
      const holdMs = doublingDelayMs(inRow, firstHoldMs, maxHoldMs);
      byId.set(id, { reason, inRow, untilMs: nowMs() + holdMs });
      return holdMs / 1000;
    },
    forget: (id: string) => void byId.delete(id),
    /** Returns the last failure while it is too early to try again, else null. */
    holding: (id: string) => ((byId.get(id)?.untilMs ?? 0) > nowMs() ? last(id) : null),
    /** Returns the last failure unless the model has been loaded since. */
    last,
  };
}
