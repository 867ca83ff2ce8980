/** Times of the requests within a minute, and the remainder for the next minute. */
interface PacedMinute {
  /** Times of the requests within the minute, 0 (start) to 1 (end), ascending. */
  readonly offsets: readonly number[];
  /** Fraction of a request carried over to the next minute, 0 to 1. */
  readonly carry: number;
}

/**
 * Spreads `requests` (may be fractional) evenly over a minute. A request is due where the running sum of the rate, starting at `carry`, reaches a
 * whole number, so that rounding neither loses nor adds requests over many minutes.
 */
export function paceMinute(requests: number, carry: number): PacedMinute {
  if (!(requests > 0)) return { offsets: [], carry };
  const sum = carry + requests;
  const whole = Math.floor(sum);
  const offsets = Array.from({ length: whole }, (_, index) => (index + 1 - carry) / requests);
  return { offsets, carry: sum - whole };
}
