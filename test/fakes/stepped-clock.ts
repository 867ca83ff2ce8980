import type { Clock } from "#platform/clock.ts";

/** Clock that stands still while anything runs. Once all wait, it jumps to the time at which the first of them wakes. */
export function createSteppedClock(startMs = 0, speed = 1): Clock {
  let nowMs = startMs;
  let stepping = false;
  const sleepers = new Set<{ readonly untilMs: number; wake(): void }>();
  const step = () => {
    stepping = false;
    const [first] = [...sleepers].sort((one, other) => one.untilMs - other.untilMs);
    if (first === undefined) return;
    nowMs = Math.max(nowMs, first.untilMs);
    first.wake();
    stepSoon();
  };
  const stepSoon = () => {
    if (stepping) return;
    stepping = true;
    setImmediate(step);
  };
  return {
    speed,
    nowMs: () => nowMs,
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper = {
          untilMs: nowMs + Math.max(0, durationMs),
          wake() {
            sleepers.delete(sleeper);
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake);
        stepSoon();
      }),
  };
}
