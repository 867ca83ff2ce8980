const firstDelayMs = 500;
const longestDelayMs = 30_000;

/**
 * How long to wait before connecting again: doubling from 0.5 s to 30 s, spread over ±50 % so that a fleet does not come back in one instant.
 * @param failedAttempts attempts that failed in a row; 0 right after a connection.
 * @param random 0..1
 */
export function reconnectDelayMs(failedAttempts: number, random: number): number {
  const exponential = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failedAttempts, 10));
  return exponential * (0.5 + random);
}
