import type { Clock } from "#platform/clock.ts";
import { secondMs } from "#platform/time.ts";

/** Minimum time between the starts of two urgent rounds; on a clock that runs fast, some real time lies between them, too. */
const minIntervalMs = 2 * secondMs;
const minRealMs = 250;

/** Starts a round of the loop as soon as users are found to be in trouble, instead of with the next minute. */
export class UrgentRounds {
  readonly #clock: Clock;
  readonly #run: () => Promise<void>;
  readonly #stopped = new AbortController();
  #lastMs = Number.NEGATIVE_INFINITY;
  #isAsked = false;

  constructor(clock: Clock, run: () => Promise<void>) {
    this.#clock = clock;
    this.#run = run;
  }

  /** Asks for a round: now, or once two seconds have passed since the last one. */
  async ask(): Promise<void> {
    if (this.#isAsked) return;
    this.#isAsked = true;
    // The distance counts, whatever its sign: after a clock is set back, rounds must not stop for as long.
    const sinceMs = Math.abs(this.#clock.nowMs() - this.#lastMs);
    const intervalMs = Math.max(minIntervalMs, minRealMs * this.#clock.speed);
    if (sinceMs < intervalMs) await this.#clock.sleep(intervalMs - sinceMs, this.#stopped.signal);
    this.#isAsked = false;
    if (this.#stopped.signal.aborted) return;
    this.#lastMs = this.#clock.nowMs();
    await this.#run();
  }

  stop(): void {
    this.#stopped.abort();
  }
}
