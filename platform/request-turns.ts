/**
 * Requests that begin in one turn of the event loop, a few milliseconds of work. A client can send thousands at once on a few connections, and
 * Bun delivers all it has read before it looks at another connection.
 */
const requestsPerTurn = 64;
/** Share of a turn that begins before `setImmediate` is asked for the next one: that call costs a tenth of an answer from the cache. */
const unwatchedShare = 1 / 4;

/** Limits how many requests begin in one turn of the event loop. */
export function createRequestTurns(maxPerTurn = requestsPerTurn) {
  const unwatched = Math.floor(maxPerTurn * unwatchedShare);
  /** Requests that began in this turn; without a turn, those since the last one ended. */
  let begun = 0;
  let turning = false;
  let waiting: (() => void)[] = [];

  const nextTurn = () => {
    const next = waiting.slice(0, maxPerTurn);
    waiting = waiting.slice(maxPerTurn);
    begun = next.length;
    turning = begun > 0;
    if (turning) setImmediate(nextTurn);
    for (const begin of next) begin();
  };

  return {
    /** Counts a request; false when the turn is full and the request should wait. */
    begin(): boolean {
      if (!turning && begun >= unwatched) {
        turning = true;
        setImmediate(nextTurn);
      }
      if (begun >= maxPerTurn || waiting.length > 0) return false;
      begun += 1;
      return true;
    },
    /** Resolves at the request's turn, first come first served. */
    wait: () => new Promise<void>((resolve) => waiting.push(resolve)),
    waiting: () => waiting.length,
  };
}
