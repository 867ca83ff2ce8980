/** Slows down clients that retry at once when they are refused. */
export interface RefusalPace {
  /** Resolves when a refusal may be sent: at once as long as there are few. */
  pause(
    tenant: string,
    request: { readonly bytes: number; readonly latencyBudgetMs?: number | undefined; readonly signal: AbortSignal },
  ): Promise<void>;
}

/** Refusals of a tenant that are sent at once: 20 in a row, and 20 a second. */
const freeRefusals = 20;
const refusalsPerS = 20;
/** `Retry-After` is at least a second, so clients that obey it lose nothing. */
const maxPauseMs = 1_000;
/** Maximum share of a client's latency budget for which its refusal is delayed. */
const budgetShare = 0.1;
/** Maximum number of delayed refusals, over all tenants. */
const maxPaused = 512;
const maxPausedBytes = 32 * 1024 * 1024;

/**
 * Reading requests only to refuse them takes CPU time from the models: eighty clients that ignored `Retry-After` took more than half of it.
 * @param nowMs a monotonic clock
 */
export function createRefusalPace(nowMs: () => number): RefusalPace {
  /** End of each tenant's last slot of 50 ms for a refusal. Bounded: tenants are those of the configuration. */
  const takenUntilMs = new Map<string, number>();
  let paused = 0;
  let pausedBytes = 0;
  return {
    async pause(tenant, { bytes, latencyBudgetMs = Number.POSITIVE_INFINITY, signal }) {
      const now = nowMs();
      const earliestMs = now - (freeRefusals * 1000) / refusalsPerS;
      const untilMs = Math.max(takenUntilMs.get(tenant) ?? earliestMs, earliestMs) + 1000 / refusalsPerS;
      const pauseMs = Math.min(untilMs - now, maxPauseMs, latencyBudgetMs * budgetShare);
      takenUntilMs.set(tenant, Math.min(untilMs, now + maxPauseMs));
      if (pauseMs < 1 || paused >= maxPaused || pausedBytes + bytes > maxPausedBytes || signal.aborted) return;
      paused += 1;
      pausedBytes += bytes;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, pauseMs);
      const wake = () => resolve();
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      paused -= 1;
      pausedBytes -= bytes;
    },
  };
}
