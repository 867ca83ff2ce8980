/** Lets requests begin, few at a time. */
export interface RequestTurns {
  /** Counts a request; false where enough have begun in this turn: it should wait. */
  begin(): boolean;
  /** Resolves when it is the request's turn, first come first served. */
  wait(): Promise<void>;
  waiting(): number;
}

/**
 * Requests that begin in one turn of the event loop: some milliseconds at most. On few connections a client can send thousands at once, and
 * Bun hands over all that it has read before it looks at any other connection.
 */
const requestsPerTurn = 64;
/** Share of them that begins before the end of the turn is asked for, which costs a tenth of an answer from the cache. */
const unwatchedShare = 1 / 4;

export function createRequestTurns(maxPerTurn = requestsPerTurn): RequestTurns {
  const unwatched = Math.floor(maxPerTurn * unwatchedShare);
  /** In this turn, and as many as go unwatched in those before. */
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
    begin() {
      if (!turning && begun >= unwatched) {
        turning = true;
        setImmediate(nextTurn);
      }
      if (begun >= maxPerTurn || waiting.length > 0) return false;
      begun += 1;
      return true;
    },
    wait: () => new Promise((resolve) => waiting.push(resolve)),
    waiting: () => waiting.length,
  };
}
