/** Slows down who asks again at once when it is turned away. */
export interface RefusalPace {
  /** Resolves when a refusal may be answered: at once as long as they are few. */
  pause(
    tenant: string,
    request: { readonly bytes: number; readonly latencyBudgetMs?: number | undefined; readonly signal: AbortSignal },
  ): Promise<void>;
}

/** Refusals of a tenant that are answered at once: so many in a row, and so many a second. */
const freeRefusals = 20;
const refusalsPerS = 20;
/** `Retry-After` says a second at least: who heeds it loses nothing. */
const longestPauseMs = 1_000;
/** What a client that waits for so long at most may be kept of it. */
const budgetShare = 0.1;
/** Maximum number kept waiting at once, over all tenants. */
const maxPaused = 512;
/** A request that is kept waiting for its refusal holds its texts. */
const maxPausedBytes = 32 * 1024 * 1024;

/**
 * Reading a request that is turned away takes the processor from the models. Eighty clients that don't heed `Retry-After` and ask again
 * as soon as they are answered took more than half of it.
 * @param nowMs a monotonous clock
 */
export function createRefusalPace(nowMs: () => number): RefusalPace {
  /** Up to when each tenant's refusals are spoken for. Tenants are those of the configuration. */
  const spokenForMs = new Map<string, number>();
  let paused = 0;
  let pausedBytes = 0;
  return {
    async pause(tenant, { bytes, latencyBudgetMs = Number.POSITIVE_INFINITY, signal }) {
      const now = nowMs();
      const earliestMs = now - (freeRefusals * 1000) / refusalsPerS;
      const untilMs = Math.max(spokenForMs.get(tenant) ?? earliestMs, earliestMs) + 1000 / refusalsPerS;
      const pauseMs = Math.min(untilMs - now, longestPauseMs, latencyBudgetMs * budgetShare);
      spokenForMs.set(tenant, Math.min(untilMs, now + longestPauseMs));
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
