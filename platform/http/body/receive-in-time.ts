import { ServiceError } from "#platform/errors.ts";
import { minuteMs } from "../../time.ts";

/** Time limit of a body: enough for the largest one on a slow connection, and an end for clients that send a byte now and then. */
export const receiveLimitMs = minuteMs;

interface Reading {
  readonly untilMs: number;
  late(): void;
}

/** Readings that have not ended. One timer looks after all: one for each request costs a twentieth of an answer from the cache. */
const readings = new Set<Reading>();
const sweepMs = 50;
let timer: ReturnType<typeof setInterval> | undefined;

function sweep(): void {
  const now = performance.now();
  for (const reading of readings) {
    if (now < reading.untilMs) continue;
    readings.delete(reading);
    reading.late();
  }
  if (readings.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/**
 * Resolves with a request's body, if it arrives in time.
 * @throws ServiceError (408) after `limitMs`, or up to 50 ms later.
 */
export function receiveInTime<T>(reading: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const entry: Reading = {
      untilMs: performance.now() + limitMs,
      late: () =>
        reject(new ServiceError("REQUEST_TIMEOUT", `the body: expected to arrive within ${limitMs / 1000} s`)),
    };
    readings.add(entry);
    timer ??= setInterval(sweep, sweepMs);
    // A later failure of an abandoned read is not an error: this promise has been rejected then.
    reading.then(
      (read) => {
        readings.delete(entry);
        resolve(read);
      },
      (error) => {
        readings.delete(entry);
        reject(error);
      },
    );
  });
}
