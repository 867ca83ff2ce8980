/** Reason that a wait ended: its client disconnected. */
export class ClientDisconnected extends Error {}
/** Reason that a wait ended: the answer would come too late. */
export class DeadlinePassed extends Error {}

/** Returns the longest time that a request may take: the agent's own limit, or its client's. */
export function timeoutMsOf(
  { latencyBudgetMs = Number.POSITIVE_INFINITY }: { readonly latencyBudgetMs?: number | undefined },
  { requestTimeoutMs }: { readonly requestTimeoutMs: number },
): number {
  return Math.min(requestTimeoutMs, latencyBudgetMs);
}

/** The end of a request's wait: its deadline, or its client's disconnection. */
export interface RequestDeadline {
  /** Reading of `performance.now`. */
  readonly atMs: number;
  /** Created on first use: a request that has nothing to wait for needs none. */
  signal(): AbortSignal;
  /** Ends the wait for another reason. */
  abort(reason: Error): void;
  /** Stops the timer; to be called when the request is answered. */
  end(): void;
}

/**
 * Starts the time of one request.
 * @param disconnected aborts when its client disconnects
 */
export function startDeadline(disconnected: AbortSignal, timeoutMs: number): RequestDeadline {
  const atMs = performance.now() + timeoutMs;
  let ended: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onDisconnect = () => ended?.abort(new ClientDisconnected());
  return {
    atMs,
    signal() {
      if (ended !== undefined) return ended.signal;
      const controller = new AbortController();
      ended = controller;
      const leftMs = Math.max(0, atMs - performance.now());
      timer = setTimeout(() => controller.abort(new DeadlinePassed()), leftMs);
      disconnected.addEventListener("abort", onDisconnect, { once: true });
      if (disconnected.aborted) onDisconnect();
      return controller.signal;
    },
    abort: (reason) => ended?.abort(reason),
    end() {
      if (ended === undefined) return;
      clearTimeout(timer);
      disconnected.removeEventListener("abort", onDisconnect);
    },
  };
}
