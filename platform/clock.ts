import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "./config-fields.ts";

/** Port for time: everything periodic uses a clock, so that tests and the demo can run a day in minutes. */
export interface Clock {
  /** Milliseconds since the Unix epoch, in this clock's own time. */
  nowMs(): number;
  /** Resolves after `durationMs` of this clock's time, or at once when `signal` aborts. Never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Milliseconds of this clock per real millisecond (1 for the real clock). */
  readonly speed: number;
}

const time = (description: string) => Type.Number({ minimum: 0, maximum: 4_102_444_800_000, description });

export const ClockConfig = Type.Object(
  {
    speed: Type.Number({
      exclusiveMinimum: 0,
      maximum: 100_000,
      description: "1 = real time; 288 runs a day in five minutes",
    }),
    anchorRealMs: time("the real time, ms since the epoch, at which this clock showed startMs"),
    startMs: time("the time of this clock at the anchor, ms since the epoch"),
  },
  { additionalProperties: false },
);
export type ClockConfig = Static<typeof ClockConfig>;

/** Section `clock` of a configuration; null is the real clock. */
export const ClockSection = orNull(
  ClockConfig,
  "a clock that runs faster than the real one, for demonstrations; null: the real one",
);

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

/** Creates a clock that runs `speed` times as fast as the real one; processes with the same configuration agree on the time. */
export function createClock(config: ClockConfig | null): Clock {
  if (config === null) return systemClock;
  const { speed, anchorRealMs, startMs } = config;
  return {
    nowMs: () => startMs + (Date.now() - anchorRealMs) * speed,
    sleep: (durationMs, signal) => sleepReal(durationMs / speed, signal),
    speed,
  };
}
