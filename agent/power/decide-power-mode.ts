import type { AgentRole, PowerModeProfile } from "#protocol/messages.ts";
import type { PowerPolicy } from "./power-config.ts";

export interface PowerModeInputs {
  readonly policy: PowerPolicy;
  /** Modes that can be entered, the most capable first. */
  readonly modes: readonly PowerModeProfile[];
  /** The mode the board is in; null when that can't be told. */
  readonly currentModeId: number | null;
  /** When the mode was last changed; null when it never was. */
  readonly lastSwitchMs: number | null;
  readonly role: AgentRole;
  /** The highest rate forecast for the coming minutes; null without a forecast. */
  readonly forecastPeakQps: number | null;
  readonly liveQps: number | null;
  /** What the controller or an operator asks to hold, by name; null when the agent chooses. */
  readonly desiredMode: string | null;
  readonly desiredModeUntilMs: number | null;
  readonly temperatureC: number | null;
  /** The thermal cap in force: no mode before this place of `modes` is taken. 0 = none. */
  readonly thermalCap: number;
  readonly thermalCapChangedMs: number | null;
  readonly nowMs: number;
}

export type PowerModeDecision = {
  /** Where `modes` may begin from now on, by heat. */
  readonly thermalCap: number;
  readonly reason: string;
  /** Said when the controller asked for a mode that this board can't enter, or that its heat forbids. */
  readonly refused: { readonly mode: string; readonly reason: string } | null;
} & (
  | { readonly kind: "none" }
  | { readonly kind: "hold"; readonly modeId: number }
  | { readonly kind: "switch"; readonly fromModeId: number | null; readonly modeId: number }
);

/** A cap moves by one mode a minute at most: the board needs that long to show what a mode does to its heat. */
const thermalStepMs = 60_000;

function nextThermalCap(inputs: PowerModeInputs, currentIndex: number): number {
  const { policy, temperatureC, thermalCap, thermalCapChangedMs, modes, nowMs } = inputs;
  if (temperatureC === null) return thermalCap;
  if (thermalCapChangedMs !== null && nowMs - thermalCapChangedMs < thermalStepMs) return thermalCap;
  if (temperatureC >= policy.thermalLimitC) return Math.min(modes.length - 1, Math.max(thermalCap, currentIndex) + 1);
  if (temperatureC < policy.thermalLimitC - policy.thermalHysteresisC) return Math.max(0, thermalCap - 1);
  return thermalCap;
}

/** A mode whose figures are all known. */
type KnownMode = PowerModeProfile & {
  readonly capacityQps: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
};

const isKnown = (mode: PowerModeProfile): mode is KnownMode =>
  mode.capacityQps !== null && mode.capacityQps > 0 && mode.busyWatts !== null && mode.idleWatts !== null;

const carries = ({ capacityQps }: PowerModeProfile, demandQps: number, policy: PowerPolicy) =>
  capacityQps === null || demandQps <= capacityQps * policy.targetUtilization;

/** Power at a demand: between idle and busy, linear in utilisation. */
function wattsAt({ capacityQps, busyWatts, idleWatts }: KnownMode, demandQps: number): number {
  return idleWatts + (busyWatts - idleWatts) * Math.min(1, demandQps / capacityQps);
}

/** Thresholds: above the high one the top, below the low one the last, else the middle; then up until the mode is known to carry it. */
function indexByThreshold(demandQps: number, policy: PowerPolicy, modes: readonly PowerModeProfile[]): number {
  const last = modes.length - 1;
  let index = demandQps > policy.highQps ? 0 : demandQps < policy.lowQps ? last : Math.floor(last / 2);
  while (index > 0 && !carries(modes[index] as PowerModeProfile, demandQps, policy)) index -= 1;
  return index;
}

/** Of the modes that carry the demand the one that draws least at it; the top one when none does. */
function indexByEnergy(demandQps: number, policy: PowerPolicy, modes: readonly KnownMode[]): number {
  let best = 0;
  for (const [index, mode] of modes.entries()) {
    const cheaper = wattsAt(mode, demandQps) < wattsAt(modes[best] as KnownMode, demandQps);
    if (index > 0 && cheaper && carries(mode, demandQps, policy)) best = index;
  }
  return best;
}

const qps = (value: number) => `${Number(value.toPrecision(3))} qps`;

interface Wish {
  readonly index: number;
  readonly reason: string;
}

function wishOfPolicy(inputs: PowerModeInputs, currentIndex: number): Wish {
  const { policy, modes, forecastPeakQps, liveQps, lastSwitchMs, nowMs } = inputs;
  if (policy.kind === "fixed") {
    const index = policy.fixedMode === null ? 0 : modes.findIndex(({ name }) => name === policy.fixedMode);
    if (index !== -1) return { index, reason: `${modes[index]?.name} is configured` };
    return {
      index: 0,
      reason: `${policy.fixedMode}, which is configured, is no mode of this board: ready for anything`,
    };
  }
  const known = [forecastPeakQps, liveQps].filter((value): value is number => value !== null && Number.isFinite(value));
  if (known.length === 0) return { index: 0, reason: "neither a forecast nor a live rate: ready for anything" };
  const demandQps = Math.max(...known);
  const basis =
    forecastPeakQps === null
      ? `live rate ${qps(demandQps)}, no forecast`
      : `${forecastPeakQps >= (liveQps ?? 0) ? "forecast peak" : "live rate"} ${qps(demandQps)}`;
  const byEnergy = policy.kind === "forecast" && modes.every(isKnown);
  const indexFor = (demand: number) =>
    byEnergy ? indexByEnergy(demand, policy, modes) : indexByThreshold(demand, policy, modes);
  const index = indexFor(demandQps);
  const name = modes[index]?.name;
  const current = modes[currentIndex];
  // Up at once: by thresholds whenever they say so, by energy when the present mode does not carry the demand.
  const mustLeave =
    current === undefined ||
    (byEnergy ? !carries(current, demandQps, policy) && index !== currentIndex : index < currentIndex);
  if (mustLeave) return { index, reason: `${basis} asks for ${name}` };
  if (index === currentIndex) return { index, reason: `${basis} does with ${name}` };
  // Saving: there must be room below the limits, and the mode must have been held a while.
  const roomy = indexFor(demandQps / (1 - policy.hysteresis));
  const saves = byEnergy ? roomy !== currentIndex : roomy > currentIndex;
  if (!saves) return { index: currentIndex, reason: `${basis} is too near a limit to step down` };
  const heldMs = lastSwitchMs === null ? Number.POSITIVE_INFINITY : nowMs - lastSwitchMs;
  if (heldMs < policy.minDwellS * 1000) {
    return {
      index: currentIndex,
      reason: `${basis} would do with ${name}, but the mode is held for ${policy.minDwellS} s after a switch`,
    };
  }
  return { index: roomy, reason: `${basis} does with ${modes[roomy]?.name}` };
}

/**
 * Which power mode the board should be in. Heat comes first, then what the controller or an operator holds, then the role (who stands by
 * saves), then demand: the mode that carries it with the least power where the board's figures are known, else by thresholds; up at
 * once, down after a dwell and with room to spare. What is unknown leads towards capacity.
 */
export function decidePowerMode(inputs: PowerModeInputs): PowerModeDecision {
  const { modes, currentModeId, desiredMode, desiredModeUntilMs, nowMs } = inputs;
  if (modes.length === 0)
    return { kind: "none", thermalCap: 0, refused: null, reason: "the board has no modes to choose from" };
  const currentIndex = modes.findIndex((mode) => mode.id === currentModeId);
  const thermalCap = nextThermalCap(inputs, Math.max(0, currentIndex));

  const held = desiredMode !== null && (desiredModeUntilMs === null || nowMs < desiredModeUntilMs);
  const heldIndex = held ? modes.findIndex((mode) => mode.name === desiredMode) : -1;
  let wish: Wish;
  if (heldIndex !== -1) wish = { index: heldIndex, reason: `${desiredMode} is held by the controller` };
  else if (inputs.role === "standby") wish = { index: modes.length - 1, reason: "standing by in the most frugal mode" };
  else wish = wishOfPolicy(inputs, currentIndex === -1 ? modes.length : currentIndex);

  const index = Math.max(Math.min(wish.index, modes.length - 1), thermalCap);
  const reason =
    index > wish.index ? `${inputs.temperatureC} °C: capped at ${modes[index]?.name} (${wish.reason})` : wish.reason;
  let refused: PowerModeDecision["refused"] = null;
  if (held && heldIndex === -1) {
    const names = modes.map(({ name }) => name).join(", ");
    refused = { mode: desiredMode, reason: `not among the modes that can be entered: ${names}` };
  } else if (held && index > heldIndex) refused = { mode: desiredMode, reason };
  const modeId = (modes[index] as PowerModeProfile).id;
  if (modeId === currentModeId) return { kind: "hold", modeId, thermalCap, refused, reason };
  return { kind: "switch", fromModeId: currentModeId, modeId, thermalCap, refused, reason };
}
