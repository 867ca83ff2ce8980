import { Type } from "@sinclair/typebox";
import { isKnownMode } from "#agent/power/energy/mode-energy.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { minuteMs } from "#platform/time.ts";
import { AgentRole, PowerModeProfile } from "#protocol/messages.ts";
import { chooseByEnergy } from "./choose-by-energy.ts";
import { chooseByFeltLoad } from "./choose-by-felt-load.ts";
import { chooseByThreshold } from "./choose-by-threshold.ts";
import { FeltLoad } from "./felt-load.ts";
import type { PowerModeChoice, PowerModeGrounds } from "./power-mode-choice.ts";

const numberOrNull = Type.Union([Type.Number(), Type.Null()], { default: null });
const rateOrNull = (description: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { default: null, description });

const UnreachableMode = Type.Object(
  { modeId: Type.Number(), reason: Type.String({ description: "the board's answer" }) },
  { additionalProperties: false },
);

/** Inputs of {@link decidePowerMode}; null: unknown, or nothing asked for. */
export const PowerModeInputs = Type.Object(
  {
    policy: PowerPolicy,
    modes: Type.Array(PowerModeProfile, { maxItems: 32, description: "that can be entered, the most capable first" }),
    currentModeId: numberOrNull,
    lastSwitchMs: numberOrNull,
    switchesInLastDay: Type.Integer({ default: 0, minimum: 0 }),
    role: Type.Union(AgentRole.anyOf, { default: "active" }),
    servingForMs: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      default: null,
      description: "time since service resumed after standby or draining; null: since the start",
    }),
    forecastPathMaxQps: rateOrNull("maximum of the forecast path: the highest of its 15 minutes"),
    forecastUpperQps: rateOrNull(
      "upper bound of the peak in the coming minutes, learnt from the errors of earlier forecasts",
    ),
    liveQps: rateOrNull("rate now"),
    desiredMode: Type.Union([Type.String(), Type.Null()], {
      default: null,
      description: "the mode that the controller or an operator asks for",
    }),
    desiredModeCap: Type.Union([Type.String(), Type.Null()], {
      default: null,
      description: "the most capable mode that the controller or an operator allows",
    }),
    desiredModeUntilMs: { ...numberOrNull, description: "null: forever" },
    desiredModeCapUntilMs: { ...numberOrNull, description: "null: forever" },
    temperatureC: numberOrNull,
    thermalCap: Type.Integer({ default: 0, minimum: 0, description: "modes before this index are not used" }),
    thermalCapChangedMs: numberOrNull,
    felt: Type.Optional(FeltLoad),
    unreachable: Type.Optional(
      Type.Array(UnreachableMode, {
        maxItems: 32,
        description: "modes that the board refused to enter, until they are tried again",
      }),
    ),
    nowMs: Type.Number(),
  },
  { additionalProperties: false },
);
export type PowerModeInputs = ReadonlyStatic<typeof PowerModeInputs>;

/** Bound that keeps the board out of the mode that was chosen; `mode` is the most capable one it leaves. */
export type PowerModeCap =
  | { readonly by: "heat"; readonly mode: string; readonly temperatureC: number | null }
  | { readonly by: "controller"; readonly mode: string };

/** Mode that the controller or an operator named in vain: the board can't enter it, or a cap forbids it. */
export type RefusedMode =
  | { readonly rule: "unknown-mode"; readonly mode: string; readonly knownModes: readonly string[] }
  | { readonly rule: "capped"; readonly mode: string };

/** Mode that was decided for but can't be entered at present; the best one that can be is used. */
export interface PassedOverMode {
  readonly mode: string;
  readonly reason: string;
}

export type PowerModeDecision = PowerModeGrounds & {
  /** First place of `modes` that heat allows from now on. */
  readonly thermalCap: number;
  readonly cap: PowerModeCap | null;
  readonly refused: RefusedMode | null;
  readonly passedOver?: PassedOverMode;
} & (
    | { readonly kind: "none" }
    | { readonly kind: "hold"; readonly modeId: number }
    | { readonly kind: "switch"; readonly fromModeId: number | null; readonly modeId: number }
  );

/** A cap moves by at most one mode a minute: the board needs that long to show a mode's effect on its temperature. */
const thermalStepMs = minuteMs;
/** An agent that takes up service has a forecast and a live rate from its time without requests; after two minutes the live rate is one of service. */
const serviceStartMs = 2 * minuteMs;

function nextThermalCap(inputs: PowerModeInputs, currentIndex: number): number {
  const { policy, temperatureC, thermalCap, thermalCapChangedMs, nowMs } = inputs;
  if (temperatureC === null) return thermalCap;
  if (thermalCapChangedMs !== null && nowMs - thermalCapChangedMs < thermalStepMs) return thermalCap;
  if (temperatureC >= policy.thermalLimitC) return Math.max(thermalCap, currentIndex) + 1;
  if (temperatureC < policy.thermalLimitC - policy.thermalHysteresisC) return Math.max(0, thermalCap - 1);
  return thermalCap;
}

function chooseByPolicy(inputs: PowerModeInputs, currentIndex: number): PowerModeChoice {
  const { policy, modes } = inputs;
  switch (policy.kind) {
    case "fixed": {
      const mode = policy.fixedMode ?? (modes[0] as PowerModeProfile).name;
      const index = modes.findIndex(({ name }) => name === mode);
      if (index !== -1) return { index, grounds: { rule: "configured", mode } };
      return { index: 0, grounds: { rule: "configured-mode-unknown", mode } };
    }
    case "threshold":
      return chooseByThreshold(inputs, currentIndex);
    case "forecast": {
      const known = modes.filter(isKnownMode);
      const byEnergy = known.length === modes.length && known.some(({ capacityQps }) => capacityQps > 0);
      return byEnergy ? chooseByEnergy(inputs, known, currentIndex) : chooseByThreshold(inputs, currentIndex);
    }
    default:
      return policy.kind satisfies never;
  }
}

function choose(inputs: PowerModeInputs, heldIndex: number, currentIndex: number): PowerModeChoice {
  const { modes, role, policy, servingForMs } = inputs;
  const held = modes[heldIndex];
  if (held !== undefined) return { index: heldIndex, grounds: { rule: "held", mode: held.name } };
  if (role === "standby") return { index: modes.length - 1, grounds: { rule: "standby" } };
  if (policy.kind !== "fixed" && servingForMs !== null && servingForMs < serviceStartMs)
    return { index: 0, grounds: { rule: "service-started" } };
  const choice = chooseByPolicy(inputs, currentIndex);
  return policy.kind === "fixed" ? choice : chooseByFeltLoad(choice, inputs, currentIndex);
}

/**
 * Returns the mode at `index`, or where the board can't enter it the nearest that it can, never above the place `minIndex`, which caps leave: below a
 * mode that was named, above one that demand needs, before it looks on the other side.
 */
function bestReachable(
  { modes, unreachable = [], currentModeId }: PowerModeInputs,
  index: number,
  minIndex: number,
  isNamed: boolean,
) {
  const failureOf = ({ id }: PowerModeProfile) =>
    id === currentModeId ? undefined : unreachable.find(({ modeId }) => modeId === id);
  const wanted = modes[index] as PowerModeProfile;
  const failure = failureOf(wanted);
  const above = modes.slice(minIndex, index).toReversed();
  const below = modes.slice(index + 1);
  const others = isNamed ? [...below, ...above] : [...above, ...below];
  const best = failure === undefined ? undefined : others.find((mode) => failureOf(mode) === undefined);
  if (failure === undefined || best === undefined) return { modeId: wanted.id };
  return { modeId: best.id, passedOver: { mode: wanted.name, reason: failure.reason } };
}

/**
 * Decides the board's power mode. Heat and the controller's cap come first, then the mode that it or an operator holds, then the role (standby
 * saves), then what users feel: no saving while they are refused or wait too long, then demand: the mode that carries it with the least power where the board's figures are known, else by thresholds; up at
 * once, down after a dwell and with headroom. The unknown leads towards capacity.
 */
export function decidePowerMode(inputs: PowerModeInputs): PowerModeDecision {
  const { modes, currentModeId, desiredMode, desiredModeCap, temperatureC, nowMs } = inputs;
  if (modes.length === 0) return { kind: "none", rule: "no-modes", thermalCap: 0, cap: null, refused: null };
  const currentIndex = modes.findIndex((mode) => mode.id === currentModeId);
  // An update may have left fewer modes than there were when the cap was set.
  const thermalCap = Math.min(modes.length - 1, nextThermalCap(inputs, currentIndex));

  const inForce = (mode: string | null, untilMs: number | null) => (untilMs === null || nowMs < untilMs ? mode : null);
  const heldMode = inForce(desiredMode, inputs.desiredModeUntilMs);
  const maxMode = inForce(desiredModeCap, inputs.desiredModeCapUntilMs);
  const indexOf = (name: string | null) => modes.findIndex((mode) => mode.name === name);
  const heldIndex = indexOf(heldMode);
  const capIndex = indexOf(maxMode);
  const choice = choose(inputs, heldIndex, currentIndex);

  const index = Math.max(choice.index, thermalCap, capIndex);
  const { name: mode } = modes[index] as PowerModeProfile;
  let cap: PowerModeCap | null = null;
  if (index > choice.index)
    cap = thermalCap > capIndex ? { by: "heat", mode, temperatureC } : { by: "controller", mode };
  let refused: RefusedMode | null = null;
  const unknownMode = heldMode !== null && heldIndex === -1 ? heldMode : capIndex === -1 ? maxMode : null;
  if (unknownMode !== null)
    refused = { rule: "unknown-mode", mode: unknownMode, knownModes: modes.map(({ name }) => name) };
  else if (heldMode !== null && index > heldIndex) refused = { rule: "capped", mode: heldMode };
  const isNamed = choice.grounds.rule === "held" || choice.grounds.rule === "configured";
  const { modeId, ...passed } = bestReachable(inputs, index, Math.max(0, thermalCap, capIndex), isNamed);
  const outcome = { ...choice.grounds, thermalCap, cap, refused, ...passed };
  if (modeId === currentModeId) return { ...outcome, kind: "hold", modeId };
  return { ...outcome, kind: "switch", fromModeId: currentModeId, modeId };
}
