/** Time in which a message to oneself comes back, doubling with each connection on which it did not. */
const firstWaitMs = 15_000;
/** Sessions that are renewed in a row; after that the broker withholds the messages whatever is done. */
const maxRenewals = 3;

export type EchoWatch = ReturnType<typeof createEchoWatch>;

/**
 * Watches for one's own message to come back, which shows that the subscriptions work: a broker may lose those of a session, e.g. when two
 * clients took each other's place, and tells nobody.
 * @param onSilence is called when the message has not come back in time
 */
export function createEchoWatch(onSilence: (waitedMs: number, mayRenew: boolean) => void, firstMs = firstWaitMs) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let expected: string | undefined;
  let silences = 0;
  const settle = () => {
    clearTimeout(timer);
    timer = undefined;
    expected = undefined;
  };
  return {
    /** The message is about to be sent. */
    expect(payload: string): void {
      clearTimeout(timer);
      expected = payload;
      const waitMs = firstMs * 2 ** Math.min(silences, maxRenewals);
      timer = setTimeout(() => {
        settle();
        silences += 1;
        onSilence(waitMs, silences <= maxRenewals);
      }, waitMs);
      timer.unref?.();
    },
    /** Accepts a message on the topic; true when it ended a silence. */
    heard(payload: string): boolean {
      if (payload !== expected) return false;
      settle();
      const wasSilent = silences > 0;
      silences = 0;
      return wasSilent;
    },
    stop: settle,
  };
}
