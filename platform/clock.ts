/** Time as a port: everything periodic asks a clock, so that tests and the demo can let a day pass in minutes. */
export interface Clock {
  /** Milliseconds since the Unix epoch, in this clock's own time. */
  nowMs(): number;
  /** Resolves after `durationMs` of this clock's time, or at once when `signal` aborts. Never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** How many milliseconds of this clock pass in one real millisecond (1 for the real clock). */
  readonly speed: number;
}

export interface ClockConfig {
  /** 1 = real time. 288 lets a day pass in five minutes. */
  readonly speed: number;
  /** The real time, ms since the epoch, at which this clock showed `startMs`. */
  readonly anchorRealMs: number;
  /** What this clock showed at the anchor, ms since the epoch. */
  readonly startMs: number;
}

function sleepReal(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, Math.max(0, durationMs));
    signal?.addEventListener("abort", finish);
  });
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: sleepReal,
  speed: 1,
};

/** A clock that runs `speed` times as fast as the real one; several processes with the same config agree on the time. */
export function createClock(config: ClockConfig | undefined): Clock {
  if (config === undefined) return systemClock;
  const { speed, anchorRealMs, startMs } = config;
  return {
    nowMs: () => startMs + (Date.now() - anchorRealMs) * speed,
    sleep: (durationMs, signal) => sleepReal(durationMs / speed, signal),
    speed,
  };
}
