/**
 * Spreads `requests` (may be fractional) evenly over a minute. A request is due where the running sum of the rate, starting at `carry`, reaches a
 * whole number, so that rounding neither loses nor adds requests over many minutes.
 * @returns the times within the minute, 0 (start) to 1 (end), ascending; and the fraction of a request carried over to the next minute
 */
export function paceMinute(
  requests: number,
  carry: number,
): { readonly offsets: readonly number[]; readonly carry: number } {
  if (!(requests > 0)) return { offsets: [], carry };
  const sum = carry + requests;
  const whole = Math.floor(sum);
  const offsets = Array.from({ length: whole }, (_, index) => (index + 1 - carry) / requests);
  return { offsets, carry: sum - whole };
}
