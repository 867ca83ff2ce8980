/** Why a wait ended: nobody waits for the answer any more. */
export class ClientGone extends Error {}
/** Why a wait ended: an answer would come too late. */
export class DeadlinePassed extends Error {}

/** How long a request waits: until its deadline, or until its client is gone. */
export interface Patience {
  /** On the clock of `performance.now`. */
  readonly deadlineMs: number;
  /** Made when it is asked for first: a request that has nothing to wait for needs none. */
  signal(): AbortSignal;
  /** Ends the wait for another reason. */
  giveUp(reason: Error): void;
  end(): void;
}

/**
 * The wait of one request, from now on.
 * @param gone aborts when its client is gone
 */
export function openPatience(gone: AbortSignal, timeoutMs: number): Patience {
  const deadlineMs = performance.now() + timeoutMs;
  let ended: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onGone = () => ended?.abort(new ClientGone());
  return {
    deadlineMs,
    signal() {
      if (ended !== undefined) return ended.signal;
      const controller = new AbortController();
      ended = controller;
      const leftMs = Math.max(0, deadlineMs - performance.now());
      timer = setTimeout(() => controller.abort(new DeadlinePassed()), leftMs);
      gone.addEventListener("abort", onGone, { once: true });
      if (gone.aborted) onGone();
      return controller.signal;
    },
    giveUp: (reason) => ended?.abort(reason),
    end() {
      if (ended === undefined) return;
      clearTimeout(timer);
      gone.removeEventListener("abort", onGone);
    },
  };
}
