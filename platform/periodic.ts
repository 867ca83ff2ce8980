import type { Clock } from "./clock.ts";
import { noteRun } from "./service/runs-in-progress.ts";

export interface PeriodicTask {
  /** Stops the schedule and waits for the current run. */
  stop(): Promise<void>;
}

/**
 * Runs `task` at every multiple of `periodMs` of the clock's time (so that all agents close the same minute), one run at a time.
 * Multiples that pass during a run are skipped, not queued. A run that throws is reported and does not end the schedule; one that never ends keeps
 * the service from giving signs of life.
 * `offsetMs` shifts the multiples.
 */
export function runPeriodically(
  clock: Clock,
  periodMs: number,
  task: (scheduledMs: number) => Promise<void> | void,
  onError: (error: unknown) => void,
  offsetMs = 0,
): PeriodicTask {
  const abort = new AbortController();
  const loop = async () => {
    let lastMs = Number.NEGATIVE_INFINITY;
    while (!abort.signal.aborted) {
      const nowMs = clock.nowMs();
      const dueMs = Math.max(Math.floor((nowMs - offsetMs) / periodMs + 1) * periodMs + offsetMs, lastMs + periodMs);
      await clock.sleep(dueMs - nowMs, abort.signal);
      if (abort.signal.aborted) return;
      // A wall clock that was set back delays the schedule by one period at most.
      if (clock.nowMs() < dueMs - periodMs) {
        lastMs = Number.NEGATIVE_INFINITY;
        continue;
      }
      if (clock.nowMs() < dueMs) continue; // timers may fire a little early
      lastMs = dueMs;
      const end = noteRun();
      try {
        await task(dueMs);
      } catch (error) {
        onError(error);
      } finally {
        end();
      }
    }
  };
  const done = loop();
  return {
    async stop() {
      abort.abort();
      await done;
    },
  };
}
