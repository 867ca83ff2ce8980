import { ServiceError } from "#platform/errors.ts";
import { minuteMs } from "../../time.ts";

/** Enough for the largest body over a slow line; a client that sends a byte now and then holds its connection no longer. */
export const receiveLimitMs = minuteMs;

/**
 * What is being read of a request, if it is there in time.
 * @throws ServiceError (408) after `limitMs`.
 */
export async function receiveInTime<T>(reading: Promise<T>, limitMs: number): Promise<T> {
  const overdue = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    overdue.reject(new ServiceError("REQUEST_TIMEOUT", `the body: expected all of it within ${limitMs / 1000} s`));
  }, limitMs);
  try {
    return await Promise.race([reading, overdue.promise]);
  } finally {
    clearTimeout(timer);
    // Of one that was given up nobody wants to hear that it failed.
    reading.catch(() => {});
  }
}
