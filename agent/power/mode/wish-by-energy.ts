import { cheapestMode, type KnownMode, wattsAt } from "#agent/power/energy/mode-energy.ts";
import type { PowerModeInputs } from "./decide-power-mode.ts";
import { qps, type Wish } from "./wish.ts";

const dayMinutes = 24 * 60;
/** A step down and the way back. */
const switchesOfASaving = 2;
/** How far the forecast reaches: what a step saves is counted over this time. */
const windowS = 900;
/** By the time that all of a day's switches are used up a mode is held so many times as long more. */
const dwellGrowth = 3;

/** What the coming minutes ask of a mode. */
interface Demand {
  /** Must stay within the target utilisation: what is expected. */
  readonly expectedQps: number;
  /** Must stay within capacity, which is where the p95 leaves its target: what may come, and what is there. */
  readonly possibleQps: number;
  readonly basis: string;
}

function demandOf({ forecastPeakQps, forecastUpperQps, liveQps }: PowerModeInputs): Demand | null {
  const live = liveQps !== null && Number.isFinite(liveQps) ? liveQps : null;
  const peak = forecastPeakQps !== null && Number.isFinite(forecastPeakQps) ? forecastPeakQps : null;
  if (peak === null) {
    // What comes is not known: the live rate itself must leave room.
    if (live === null) return null;
    return { expectedQps: live, possibleQps: live, basis: `live rate ${qps(live)}, no forecast` };
  }
  const upper =
    forecastUpperQps !== null && Number.isFinite(forecastUpperQps) ? Math.max(peak, forecastUpperQps) : peak;
  const possibleQps = Math.max(upper, live ?? 0);
  const above = upper > peak ? ` (at most ${qps(upper)})` : "";
  const basis = live !== null && live > upper ? `live rate ${qps(live)}` : `forecast peak ${qps(peak)}${above}`;
  return { expectedQps: peak, possibleQps, basis };
}

/** How long a mode is held before a saving step, in minutes: longer the more of the day's switches are used up; null = no more today. */
function dwellMs({ policy, switchesInLastDay }: PowerModeInputs): number | null {
  const { minDwellS, mostSwitchesPerDay } = policy;
  if (switchesInLastDay + switchesOfASaving > mostSwitchesPerDay) return null;
  return minDwellS * 1000 * (1 + dwellGrowth * (switchesInLastDay / mostSwitchesPerDay) ** 2);
}

/**
 * The cheapest mode for the coming minutes: what is expected stays within the target utilisation, and what may come within capacity. Up at
 * once when the present mode no longer does; down only with room to spare, after a dwell, and while the day's switches last.
 * @param modes all their figures known; the most capable first.
 */
export function wishByEnergy(inputs: PowerModeInputs, modes: readonly KnownMode[], currentIndex: number): Wish {
  const { policy, lastSwitchMs, nowMs } = inputs;
  const demand = demandOf(inputs);
  if (demand === null) return { index: 0, reason: "neither a forecast nor a live rate: ready for anything" };
  const { expectedQps, possibleQps, basis } = demand;
  const fits = (room: number) => (mode: KnownMode) =>
    mode.capacityQps > 0 &&
    expectedQps * room <= mode.capacityQps * policy.targetUtilization &&
    possibleQps * room <= mode.capacityQps;
  const drawnAtQps = Math.max(expectedQps, inputs.liveQps ?? 0);
  const index = cheapestMode(modes, drawnAtQps, fits(1));
  const name = modes[index]?.name;
  const current = modes[currentIndex];
  if (current === undefined || (!fits(1)(current) && index !== currentIndex))
    return { index, reason: `${basis} asks for ${name}` };
  if (index === currentIndex) return { index, reason: `${basis} does with ${name}` };
  const roomy = cheapestMode(modes, drawnAtQps, fits(1 / (1 - policy.hysteresis)));
  const savedJ = windowS * (wattsAt(current, drawnAtQps) - wattsAt(modes[roomy] as KnownMode, drawnAtQps));
  if (roomy === currentIndex || savedJ <= 0)
    return { index: currentIndex, reason: `${basis} is too near a limit to step down` };
  const costJ = switchesOfASaving * policy.switchCostS * (modes[0]?.busyWatts ?? 0);
  if (savedJ <= costJ)
    return {
      index: currentIndex,
      reason: `${basis} would do with ${name}, but that saves ${savedJ.toFixed(0)} J in ${windowS / 60} minutes, and changing modes costs ${costJ.toFixed(0)} J`,
    };
  const heldMs = lastSwitchMs === null ? Number.POSITIVE_INFINITY : nowMs - lastSwitchMs;
  const neededMs = dwellMs(inputs);
  if (neededMs === null)
    return {
      index: currentIndex,
      reason: `${basis} would do with ${name}, but there were ${inputs.switchesInLastDay} switches in ${dayMinutes / 60} hours already`,
    };
  if (heldMs < neededMs)
    return {
      index: currentIndex,
      reason: `${basis} would do with ${name}, but the mode is held for ${Math.round(neededMs / 1000)} s after a switch`,
    };
  return { index: roomy, reason: `${basis} does with ${modes[roomy]?.name}` };
}
