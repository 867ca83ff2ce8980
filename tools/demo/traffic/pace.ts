/** Where in a minute the requests fall, and what is left over for the next one. */
export interface PacedMinute {
  /** Each request's place in the minute, 0 (its start) to 1 (its end), rising. */
  readonly offsets: readonly number[];
  /** The part of a request that the next minute begins with, 0 to 1. */
  readonly carry: number;
}

/**
 * Spreads `requests` (any fraction) evenly over a minute. A request falls where the running sum of the rate, begun at `carry`,
 * reaches a whole number; so over many minutes none is lost or made up by rounding.
 */
export function paceMinute(requests: number, carry: number): PacedMinute {
  if (!(requests > 0)) return { offsets: [], carry };
  const sum = carry + requests;
  const whole = Math.floor(sum);
  const offsets = Array.from({ length: whole }, (_, index) => (index + 1 - carry) / requests);
  return { offsets, carry: sum - whole };
}
