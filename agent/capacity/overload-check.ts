/** Share of the device's cores from which on they are the limit. */
const busyFrom = 0.9;

/**
 * Returns a check that is true when, since the last call, requests were refused for want of capacity while others were in progress and the
 * cores were busy. A request that gives itself no time is refused by an idle device, too.
 */
export function createOverloadCheck(parts: {
  /** Requests refused so far. */
  readonly refusals: () => number;
  readonly inFlight: () => number;
  /** Load of all cores, 0 to 1; null: unknown. */
  readonly cpu: () => number | null;
}): () => boolean {
  let before = { refusals: 0, inFlight: 0 };
  return () => {
    const now = { refusals: parts.refusals(), inFlight: parts.inFlight() };
    const { refusals, inFlight } = before;
    before = now;
    return now.refusals > refusals && inFlight > 0 && now.inFlight > 0 && (parts.cpu() ?? 0) >= busyFrom;
  };
}
