import type { PowerPolicy } from "#agent/power/power-config.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { PowerModeInputs } from "./decide-power-mode.ts";
import { qps, type Wish } from "./wish.ts";

const carries = ({ capacityQps }: PowerModeProfile, demandQps: number, policy: PowerPolicy) =>
  capacityQps === null || demandQps <= capacityQps * policy.targetUtilization;

/** Above the high threshold the top, below the low one the last, else the middle; then up until the mode is known to carry it. */
function indexFor(demandQps: number, policy: PowerPolicy, modes: readonly PowerModeProfile[]): number {
  const last = modes.length - 1;
  let index = demandQps > policy.highQps ? 0 : demandQps < policy.lowQps ? last : Math.floor(last / 2);
  while (index > 0 && !carries(modes[index] as PowerModeProfile, demandQps, policy)) index -= 1;
  return index;
}

/** The mode by two thresholds: up at once, down after a dwell and with room to spare. Needs no figures of the board. */
export function wishByThreshold(inputs: PowerModeInputs, currentIndex: number): Wish {
  const { policy, modes, forecastPeakQps, liveQps, lastSwitchMs, nowMs } = inputs;
  const known = [forecastPeakQps, liveQps].filter((value): value is number => value !== null && Number.isFinite(value));
  if (known.length === 0) return { index: 0, reason: "neither a forecast nor a live rate: ready for anything" };
  const demandQps = Math.max(...known);
  const basis =
    forecastPeakQps === null
      ? `live rate ${qps(demandQps)}, no forecast`
      : `${forecastPeakQps >= (liveQps ?? 0) ? "forecast peak" : "live rate"} ${qps(demandQps)}`;
  const index = indexFor(demandQps, policy, modes);
  const name = modes[index]?.name;
  if (modes[currentIndex] === undefined || index < currentIndex) return { index, reason: `${basis} asks for ${name}` };
  if (index === currentIndex) return { index, reason: `${basis} does with ${name}` };
  const roomy = indexFor(demandQps / (1 - policy.hysteresis), policy, modes);
  if (roomy <= currentIndex) return { index: currentIndex, reason: `${basis} is too near a limit to step down` };
  const heldMs = lastSwitchMs === null ? Number.POSITIVE_INFINITY : nowMs - lastSwitchMs;
  if (heldMs < policy.minDwellS * 1000) {
    return {
      index: currentIndex,
      reason: `${basis} would do with ${name}, but the mode is held for ${policy.minDwellS} s after a switch`,
    };
  }
  return { index: roomy, reason: `${basis} does with ${modes[roomy]?.name}` };
}
