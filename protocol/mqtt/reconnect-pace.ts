const minReconnectDelayMs = 500;
const maxReconnectDelayMs = 16_000;
/** Time after which a connection counts as lasting. Longer than the longest delay: of two clients that take each other's place, neither lasts. */
const lastingMs = 60_000;
/** Connections that ended soon, one after another, after which another client of the same id is the likely cause. */
const endedSoonInRow = 3;

/**
 * Delay before the next attempt to connect: doubling from 0.5 s to 16 s, spread over ±50 % so that a fleet does not come back in one instant. Even the
 * longest ends within half a minute after the broker is there again.
 * @param failedAttempts attempts that failed in a row; 0 right after a connection.
 * @param random 0..1
 */
export function reconnectDelayMs(failedAttempts: number, random: number): number {
  const exponential = Math.min(maxReconnectDelayMs, minReconnectDelayMs * 2 ** Math.min(failedAttempts, 10));
  return exponential * (0.5 + random);
}

/** Counts attempts, and notices connections that another client of the same id takes away. Times are of a clock that is never set. */
export function createReconnectPace(nowMs: () => number) {
  let attempts = 0;
  let connectedAtMs: number | null = null;
  let endedSoon = 0;
  const lasted = () => connectedAtMs !== null && nowMs() - connectedAtMs >= lastingMs;
  return {
    get attempts(): number {
      return attempts;
    },
    /** True while a connection has lasted for so long that what went wrong before is history. */
    lasted,
    connected(): void {
      connectedAtMs = nowMs();
    },
    /**
     * Takes in the end of a connection or attempt; returns for how long it was there, and true where others of its kind ended as soon before.
     * @param unexplained the peer ended it without any reason
     */
    ended(unexplained: boolean): { readonly forMs: number | null; readonly likelyTakenOver: boolean } {
      const forMs = connectedAtMs === null ? null : nowMs() - connectedAtMs;
      if (lasted()) attempts = 0;
      attempts += 1;
      // A broker that is away explains the end before; one that ended a connection soon and is there at once does not.
      endedSoon = forMs !== null && forMs < lastingMs && unexplained ? endedSoon + 1 : 0;
      connectedAtMs = null;
      return { forMs, likelyTakenOver: endedSoon >= endedSoonInRow };
    },
  };
}
