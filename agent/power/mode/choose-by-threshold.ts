import type { PowerPolicy } from "#agent/power/power-config.ts";
import { secondMs } from "#platform/time.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import type { PowerModeInputs } from "./decide-power-mode.ts";
import { type DemandBasis, finiteOrNull, type PowerModeChoice } from "./power-mode-choice.ts";

const carries = ({ capacityQps }: PowerModeProfile, demandQps: number, policy: PowerPolicy) =>
  capacityQps === null || demandQps <= capacityQps * policy.targetUtilization;

/** Above the high threshold the top mode, below the low one the last, else the middle; then up until the mode is known to carry the demand. */
function indexFor(demandQps: number, policy: PowerPolicy, modes: readonly PowerModeProfile[]): number {
  const last = modes.length - 1;
  let index = demandQps > policy.highQps ? 0 : demandQps < policy.lowQps ? last : Math.floor(last / 2);
  while (index > 0 && !carries(modes[index] as PowerModeProfile, demandQps, policy)) index -= 1;
  return index;
}

/** Chooses the mode by two thresholds: up at once, down after a dwell and with headroom. Needs no figures of the board. */
export function chooseByThreshold(inputs: PowerModeInputs, currentIndex: number): PowerModeChoice {
  const { policy, modes, lastSwitchMs, nowMs } = inputs;
  const pathMaxQps = finiteOrNull(inputs.forecastPathMaxQps);
  const liveQps = finiteOrNull(inputs.liveQps);
  const rates = [pathMaxQps, liveQps].filter((rate) => rate !== null);
  if (rates.length === 0) return { index: 0, grounds: { rule: "no-rate" } };
  const demandQps = Math.max(...rates);
  const demand: DemandBasis = {
    source: pathMaxQps === demandQps ? "forecast" : "live",
    qps: demandQps,
    upperQps: null,
    hasForecast: pathMaxQps !== null,
  };
  const nameOf = (at: number) => (modes[at] as PowerModeProfile).name;
  const grounds = (rule: "carries" | "needs" | "near-limit", at: number) =>
    ({ rule, mode: nameOf(at), demand }) as const;
  const index = indexFor(demandQps, policy, modes);
  if (modes[currentIndex] === undefined || index < currentIndex) return { index, grounds: grounds("needs", index) };
  if (index === currentIndex) return { index, grounds: grounds("carries", index) };
  const cautious = indexFor(demandQps / (1 - policy.hysteresis), policy, modes);
  if (cautious <= currentIndex) return { index: currentIndex, grounds: grounds("near-limit", index) };
  const heldMs = nowMs - (lastSwitchMs ?? Number.NEGATIVE_INFINITY);
  const dwellMs = policy.minDwellS * secondMs;
  if (heldMs < dwellMs)
    return { index: currentIndex, grounds: { rule: "dwell", mode: nameOf(index), demand, dwellMs } };
  return { index: cautious, grounds: grounds("carries", cautious) };
}
