/** Why a wait ended: nobody waits for the answer any more. */
export class ClientGone extends Error {}
/** Why a wait ended: an answer would come too late. */
export class DeadlinePassed extends Error {}

/** How long a request waits: until its deadline, or until its client is gone. */
export interface Patience {
  /** Made when it is asked for first: a request that has nothing to wait for needs none. */
  signal(): AbortSignal;
  end(): void;
}

/**
 * The wait of one request, from now on.
 * @param gone aborts when its client is gone
 */
export function openPatience(gone: AbortSignal, timeoutMs: number): Patience {
  const startedMs = performance.now();
  let ended: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onGone = () => ended?.abort(new ClientGone());
  return {
    signal() {
      if (ended !== undefined) return ended.signal;
      const controller = new AbortController();
      ended = controller;
      const leftMs = Math.max(0, startedMs + timeoutMs - performance.now());
      timer = setTimeout(() => controller.abort(new DeadlinePassed()), leftMs);
      gone.addEventListener("abort", onGone, { once: true });
      if (gone.aborted) onGone();
      return controller.signal;
    },
    end() {
      if (ended === undefined) return;
      clearTimeout(timer);
      gone.removeEventListener("abort", onGone);
    },
  };
}
