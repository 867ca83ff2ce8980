import { isKnownMode } from "#agent/power/energy/mode-energy.ts";
import type { PowerPolicy } from "#agent/power/power-config.ts";
import type { AgentRole, PowerModeProfile } from "#protocol/messages.ts";
import type { Wish } from "./wish.ts";
import { wishByEnergy } from "./wish-by-energy.ts";
import { wishByThreshold } from "./wish-by-threshold.ts";

export interface PowerModeInputs {
  readonly policy: PowerPolicy;
  /** Modes that can be entered, the most capable first. */
  readonly modes: readonly PowerModeProfile[];
  /** The mode the board is in; null when that can't be told. */
  readonly currentModeId: number | null;
  /** When the mode was last changed; null when it never was. */
  readonly lastSwitchMs: number | null;
  /** How often the mode was changed in the last 24 hours. */
  readonly switchesInLastDay: number;
  readonly role: AgentRole;
  /** How long ago the agent took up service after standing by or draining; null when it has served since it started. */
  readonly servingForMs: number | null;
  /** The highest rate forecast for the coming minutes; null without a forecast. */
  readonly forecastPeakQps: number | null;
  /** What the rate will hardly exceed in the coming minutes, learnt from how far earlier forecasts were off; null when not known. */
  readonly forecastUpperQps: number | null;
  readonly liveQps: number | null;
  /** What the controller or an operator asks to hold, by name; null when the agent chooses. */
  readonly desiredMode: string | null;
  /** The most capable mode that the controller or an operator allows, by name; null when all are. */
  readonly desiredModeCap: string | null;
  /** Until when each of them holds; null = for good. */
  readonly desiredModeUntilMs: number | null;
  readonly desiredModeCapUntilMs: number | null;
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
/** Who takes up service has a forecast and a live rate of its time without requests; after so long the live rate is one of service. */
const takeUpMs = 120_000;

function nextThermalCap(inputs: PowerModeInputs, currentIndex: number): number {
  const { policy, temperatureC, thermalCap, thermalCapChangedMs, modes, nowMs } = inputs;
  if (temperatureC === null) return thermalCap;
  if (thermalCapChangedMs !== null && nowMs - thermalCapChangedMs < thermalStepMs) return thermalCap;
  if (temperatureC >= policy.thermalLimitC) return Math.min(modes.length - 1, Math.max(thermalCap, currentIndex) + 1);
  if (temperatureC < policy.thermalLimitC - policy.thermalHysteresisC) return Math.max(0, thermalCap - 1);
  return thermalCap;
}

function wishOfPolicy(inputs: PowerModeInputs, currentIndex: number): Wish {
  const { policy, modes } = inputs;
  switch (policy.kind) {
    case "fixed": {
      const index = policy.fixedMode === null ? 0 : modes.findIndex(({ name }) => name === policy.fixedMode);
      if (index !== -1) return { index, reason: `${modes[index]?.name} is configured` };
      return {
        index: 0,
        reason: `${policy.fixedMode}, which is configured, is no mode of this board: ready for anything`,
      };
    }
    case "threshold":
      return wishByThreshold(inputs, currentIndex);
    case "forecast": {
      const known = modes.filter(isKnownMode);
      const byEnergy = known.length === modes.length && known.some(({ capacityQps }) => capacityQps > 0);
      return byEnergy ? wishByEnergy(inputs, known, currentIndex) : wishByThreshold(inputs, currentIndex);
    }
    default:
      return policy.kind satisfies never;
  }
}

/**
 * Which power mode the board should be in. Heat and the controller's cap come first, then what it or an operator holds, then the role (who stands by
 * saves), then demand: the mode that carries it with the least power where the board's figures are known, else by thresholds; up at
 * once, down after a dwell and with room to spare. What is unknown leads towards capacity.
 */
export function decidePowerMode(inputs: PowerModeInputs): PowerModeDecision {
  const { modes, currentModeId, desiredMode, desiredModeCap, nowMs } = inputs;
  if (modes.length === 0)
    return { kind: "none", thermalCap: 0, refused: null, reason: "the board has no modes to choose from" };
  const currentIndex = modes.findIndex((mode) => mode.id === currentModeId);
  // An update may have left fewer modes than there were when the cap was set.
  const thermalCap = Math.min(modes.length - 1, nextThermalCap(inputs, Math.max(0, currentIndex)));

  const inForce = (untilMs: number | null) => untilMs === null || nowMs < untilMs;
  const held = desiredMode !== null && inForce(inputs.desiredModeUntilMs);
  const capped = desiredModeCap !== null && inForce(inputs.desiredModeCapUntilMs);
  const heldIndex = held ? modes.findIndex((mode) => mode.name === desiredMode) : -1;
  let wish: Wish;
  if (heldIndex !== -1) wish = { index: heldIndex, reason: `${desiredMode} is held by the controller` };
  else if (inputs.role === "standby") wish = { index: modes.length - 1, reason: "standing by in the most frugal mode" };
  else if (inputs.policy.kind !== "fixed" && inputs.servingForMs !== null && inputs.servingForMs < takeUpMs)
    wish = {
      index: 0,
      reason: "service has just been taken up, and how much will come is not known: ready for anything",
    };
  else wish = wishOfPolicy(inputs, currentIndex === -1 ? modes.length : currentIndex);

  const capIndex = capped ? modes.findIndex((mode) => mode.name === desiredModeCap) : -1;
  const index = Math.max(Math.min(wish.index, modes.length - 1), thermalCap, capIndex);
  const name = modes[index]?.name;
  const cap =
    thermalCap > capIndex ? `${inputs.temperatureC} °C: capped at ${name}` : `capped at ${name} by the controller`;
  const reason = index > wish.index ? `${cap} (${wish.reason})` : wish.reason;
  let refused: PowerModeDecision["refused"] = null;
  const unknown = held && heldIndex === -1 ? desiredMode : capped && capIndex === -1 ? desiredModeCap : null;
  if (unknown !== null) {
    const names = modes.map((mode) => mode.name).join(", ");
    refused = { mode: unknown, reason: `not among the modes that can be entered: ${names}` };
  } else if (held && index > heldIndex) refused = { mode: desiredMode, reason };
  const modeId = (modes[index] as PowerModeProfile).id;
  if (modeId === currentModeId) return { kind: "hold", modeId, thermalCap, refused, reason };
  return { kind: "switch", fromModeId: currentModeId, modeId, thermalCap, refused, reason };
}
