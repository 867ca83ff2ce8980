import { minuteMs } from "#platform/time.ts";

/** Part of the window after which the second act begins. */
const beginsAfter = 0.6;

/** Share of the speed that their profiles state at which the simulated boards compute in the second act. */
export const secondActSpeed = 0.4;

/** Start of the second act: from then on the boards are slower than their profiles say, and the fleet is not told. */
export function secondActFromMs(fromMs: number, toMs: number): number {
  return Math.floor((fromMs + beginsAfter * (toMs - fromMs)) / minuteMs) * minuteMs;
}

/** Says what is done to the fleet in an act. */
export function actToText(boardSpeed: number): string {
  return boardSpeed === 1
    ? "simulated boards as fast as their profiles say"
    : `boards run at ${(boardSpeed * 100).toFixed(0)} % of profile; the fleet is not told`;
}
