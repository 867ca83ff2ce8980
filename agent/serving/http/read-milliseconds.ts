import { ServiceError } from "#platform/errors.ts";

/** Digits, and up to three decimals. */
export const millisecondsPattern = "^\\d{1,8}(\\.\\d{1,3})?$";
const milliseconds = new RegExp(millisecondsPattern);
/** A day: longer is a slip. */
const maxMs = 86_400_000;

/**
 * Reads a header of milliseconds; undefined where there is none.
 * @throws ServiceError INVALID_REQUEST that names the header
 */
export function readMilliseconds(headers: Headers, name: string): number | undefined {
  const text = headers.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (milliseconds.test(text) && value > 0 && value <= maxMs) return value;
  throw new ServiceError(
    "INVALID_REQUEST",
    `${name}: expected milliseconds, a number above 0 and up to ${maxMs}, got ${JSON.stringify(text.slice(0, 64))}`,
    { details: { param: name } },
  );
}

/** Returns milliseconds as such a header has them: never 0. */
export const writeMilliseconds = (ms: number): string => Math.min(maxMs, Math.max(0.001, ms)).toFixed(3);
