import { dayMs, secondMs } from "#platform/time.ts";
import type { PlanConfig } from "./plan-config.ts";

/** With a day's switches used up a mode is kept for 1 + 3 times the minimum, as in an agent's own choice of its mode. */
const dwellGrowth = 3;
/** Switches that saving energy for a while takes: down, and up again. */
const switchesPerSaving = 2;

export interface ModeDwell {
  /** free: the mode may be lowered; dwell: not yet; no-switches-left: the day's switches are used up. */
  readonly rule: "free" | "dwell" | "no-switches-left";
  readonly switchesInLastDay: number;
}

/**
 * Decides whether a plan may lower the power mode of a device now. Raising one is never held back. The longer a mode is kept the more of the
 * day's switches are used, so that noise in the forecast doesn't switch a device to and fro.
 * @param switchesMs times at which the device's mode changed, oldest first
 */
export function decideModeDwell(
  switchesMs: readonly number[],
  { modeDwellS, mostSwitchesPerDay }: Pick<PlanConfig, "modeDwellS" | "mostSwitchesPerDay">,
  nowMs: number,
): ModeDwell {
  const ofDay = switchesMs.filter((atMs) => atMs > nowMs - dayMs && atMs <= nowMs);
  const switchesInLastDay = ofDay.length;
  if (switchesInLastDay + switchesPerSaving > mostSwitchesPerDay)
    return { rule: "no-switches-left", switchesInLastDay };
  const dwellMs = modeDwellS * secondMs * (1 + dwellGrowth * (switchesInLastDay / mostSwitchesPerDay) ** 2);
  const heldMs = nowMs - (ofDay.at(-1) ?? Number.NEGATIVE_INFINITY);
  return { rule: heldMs < dwellMs ? "dwell" : "free", switchesInLastDay };
}
