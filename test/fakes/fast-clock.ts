import type { ClockConfig } from "#platform/clock.ts";
import { slowdown } from "./machine-speed.ts";

/** Clock configuration that runs `speed` times as fast as real time, slower on a busy machine: a minute of it must not pass unnoticed. */
export const fastClock = (speed: number, startMs = Date.UTC(2026, 0, 5)): ClockConfig => ({
  speed: speed / slowdown(),
  anchorRealMs: Date.now(),
  startMs,
});
