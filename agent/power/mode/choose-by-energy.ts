import { cheapestMode, type KnownMode, wattsAt } from "#agent/power/energy/mode-energy.ts";
import { secondMs } from "#platform/time.ts";
import type { PowerModeInputs } from "./decide-power-mode.ts";
import { type DemandBasis, finiteOrNull, highestOf, type PowerModeChoice } from "./power-mode-choice.ts";

/** A step down and the way back. */
const switchesPerSaving = 2;
/** Reach of the forecast: the savings of a step are counted over this time. */
const windowS = 900;
/** With a day's switches used up a mode would be kept for 1 + 3 times the minimum dwell. */
const dwellGrowth = 3;

/** Demand of the coming minutes on a mode. */
interface Demand {
  /** Must stay within the target utilisation: the maximum of the forecast path. */
  readonly expectedQps: number;
  /** Must stay within capacity, above which the p95 leaves its target: the peak's upper bound, and the live rate. */
  readonly possibleQps: number;
  readonly basis: DemandBasis;
}

function demandOf(inputs: PowerModeInputs): Demand | null {
  const liveQps = finiteOrNull(inputs.liveQps);
  const pathMaxQps = finiteOrNull(inputs.forecastPathMaxQps);
  if (pathMaxQps === null) {
    // Without a forecast the live rate itself must leave headroom.
    if (liveQps === null) return null;
    const basis: DemandBasis = { source: "live", qps: liveQps, upperQps: null, hasForecast: false };
    return { expectedQps: liveQps, possibleQps: liveQps, basis };
  }
  const upperQps = highestOf(pathMaxQps, inputs.forecastUpperQps);
  const basis: DemandBasis =
    liveQps !== null && liveQps > upperQps
      ? { source: "live", qps: liveQps, upperQps: null, hasForecast: true }
      : { source: "forecast", qps: pathMaxQps, upperQps: upperQps > pathMaxQps ? upperQps : null, hasForecast: true };
  return { expectedQps: pathMaxQps, possibleQps: highestOf(upperQps, liveQps), basis };
}

/** Minimum time in a mode before a step that saves: longer as the day's switches are used up; null when none is left. */
function minDwellMs({ policy, switchesInLastDay }: PowerModeInputs): number | null {
  const { minDwellS, mostSwitchesPerDay } = policy;
  if (switchesInLastDay + switchesPerSaving > mostSwitchesPerDay) return null;
  return minDwellS * secondMs * (1 + dwellGrowth * (switchesInLastDay / mostSwitchesPerDay) ** 2);
}

/**
 * Chooses the cheapest mode for the coming minutes: the forecast path stays within the target utilisation, the upper bound of its peak within capacity.
 * Up at once when the present mode carries too little; down only with headroom, after a dwell, and while the day's switches last.
 * @param modes with all their figures, the most capable first
 */
export function chooseByEnergy(
  inputs: PowerModeInputs,
  modes: readonly KnownMode[],
  currentIndex: number,
): PowerModeChoice {
  const { policy, lastSwitchMs, switchesInLastDay, nowMs } = inputs;
  const needed = demandOf(inputs);
  if (needed === null) return { index: 0, grounds: { rule: "no-rate" } };
  const { expectedQps, possibleQps, basis: demand } = needed;
  const fits = (factor: number) => (mode: KnownMode) =>
    mode.capacityQps > 0 &&
    expectedQps * factor <= mode.capacityQps * policy.targetUtilization &&
    possibleQps * factor <= mode.capacityQps;
  const drawnAtQps = highestOf(expectedQps, inputs.liveQps);
  const modeAt = (index: number) => modes[index] as KnownMode;
  const index = cheapestMode(modes, drawnAtQps, fits(1));
  const { name: mode } = modeAt(index);
  const current = modes[currentIndex];
  if (current === undefined || (!fits(1)(current) && index !== currentIndex))
    return { index, grounds: { rule: "needs", mode, demand } };
  if (index === currentIndex) return { index, grounds: { rule: "carries", mode, demand } };
  const keep = (grounds: PowerModeChoice["grounds"]): PowerModeChoice => ({ index: currentIndex, grounds });
  const cautious = cheapestMode(modes, drawnAtQps, fits(1 / (1 - policy.hysteresis)));
  const savedJ = windowS * (wattsAt(current, drawnAtQps) - wattsAt(modeAt(cautious), drawnAtQps));
  if (savedJ <= 0) return keep({ rule: "near-limit", mode, demand });
  const costJ = switchesPerSaving * policy.switchCostS * modeAt(0).busyWatts;
  if (savedJ <= costJ) return keep({ rule: "saves-too-little", mode, demand, savedJ, costJ, windowS });
  const dwellMs = minDwellMs(inputs);
  if (dwellMs === null) return keep({ rule: "no-switches-left", mode, demand, switchesInLastDay });
  const heldMs = nowMs - (lastSwitchMs ?? Number.NEGATIVE_INFINITY);
  if (heldMs < dwellMs) return keep({ rule: "dwell", mode, demand, dwellMs });
  return { index: cautious, grounds: { rule: "carries", mode: modeAt(cautious).name, demand } };
}
