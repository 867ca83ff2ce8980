import { ServiceError } from "#platform/errors.ts";
import { minuteMs } from "../../time.ts";

/** Time limit of a body: enough for the largest one on a slow connection, and an end for clients that send a byte now and then. */
export const receiveLimitMs = minuteMs;

/**
 * Resolves with what is read of a request, if it arrives in time.
 * @throws ServiceError (408) after `limitMs`.
 */
export function receiveInTime<T>(reading: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new ServiceError("REQUEST_TIMEOUT", `the body: expected all of it within ${limitMs / 1000} s`));
    }, limitMs);
    // A later failure of an abandoned read is not an error: this promise has been rejected then.
    reading.then(
      (read) => {
        clearTimeout(timer);
        resolve(read);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
