import type { CloudOffer, FleetPlanInput, PlanDevice } from "./fleet-plan-input.ts";

/** A power mode that may be used, with its value in a plan. Amounts are per step. */
export interface PlanMode {
  readonly name: string;
  /** Rate that a unit carries at the target utilisation. */
  readonly carriedQps: number;
  /** Price of a unit that serves without load, its hourly price included. */
  readonly idleUsd: number;
  /** Price of each qps it serves, on top. */
  readonly usdPerQps: number;
  /** Price of switching into it: full load is drawn meanwhile. */
  readonly switchUsd: number;
}

/** State of a unit when the plan begins, in whole steps. */
export type UnitStart =
  /** `mode` is null when its present mode may not be used: it has to switch at once. It can't leave before `stays` steps. */
  | { readonly kind: "on"; readonly mode: number | null; readonly stays: number }
  | { readonly kind: "off"; readonly stays: number }
  | { readonly kind: "starting"; readonly arrivesAt: number };

/** Units of a class in the same state. */
export interface PlanSource {
  readonly start: UnitStart;
  readonly count: number;
  /** Ids of devices; units of an offer have none. */
  readonly ids: readonly string[];
}

/** Units that differ only in their present state: devices of one make, or the units of a cloud offer. */
export interface PlanClass {
  readonly kind: "device" | "cloud";
  /** Class of the devices, or id of the offer. */
  readonly name: string;
  readonly modes: readonly PlanMode[];
  readonly sources: readonly PlanSource[];
  readonly startupSteps: number;
  readonly minOnSteps: number;
  readonly minOffSteps: number;
  /** Share of its capacity that a unit lacks in the step of a switch and in those after it. */
  readonly switchLoss: readonly number[];
  readonly startUsd: number;
  readonly offUsd: number;
  readonly startingUsd: number;
}

/** The plan as a problem in whole steps and prices per step; the solver and the search both work on it. */
export interface PlanProblem {
  readonly steps: number;
  readonly demandQps: readonly number[];
  /** Rate that has to be carried if it came, with the spare devices out: the demand, or more than is expected. */
  readonly coverQps: readonly number[];
  readonly spareDevices: number;
  /** Price of one qps that is not carried for a step. */
  readonly shortfallUsdPerQps: number;
  /** Price of one qps of {@link coverQps} that would not be carried if the spare devices failed. */
  readonly uncoveredUsdPerQps: number;
  readonly classes: readonly PlanClass[];
  /** Electricity of devices that can't take part, for the whole plan. */
  readonly fixedUsd: number;
  readonly leftOut: readonly LeftOutDevice[];
}

/** A device that can't take part. */
export interface LeftOutDevice {
  readonly id: string;
  readonly rule: "offline" | "draining" | "too-slow" | "no-capacity";
  /** p95 of its fastest mode. */
  readonly fastestP95Ms: number;
}

/** Price of a missing spare, as a share of a lost request: serving comes first. */
const spareShare = 0.5;

/** Rates above the expected ones that have to be carried if they came. */
export interface Cover {
  /** Rates by step; the demand counts where it is more. */
  readonly qps: readonly number[];
  /** Price of uncovered traffic, as a share of a lost request: its likelihood. */
  readonly share: number;
}
const rounding = 1e-9;

const wholeSteps = (seconds: number, stepS: number) => Math.max(0, Math.ceil(seconds / stepS - rounding));

function startOf(device: PlanDevice, modeNames: readonly string[], stepS: number): UnitStart {
  const left = (seconds: number) => wholeSteps(seconds - device.stateForS, stepS);
  if (device.state === "active") {
    const mode = modeNames.indexOf(device.mode);
    return { kind: "on", mode: mode < 0 ? null : mode, stays: left(device.minActiveS) };
  }
  if (device.state === "starting") return { kind: "starting", arrivesAt: left(device.startupS) };
  return { kind: "off", stays: left(device.minStandbyS) };
}

/** Groups devices by their state, in the order of the first of each. */
function sourcesOf(devices: readonly PlanDevice[], modeNames: readonly string[], stepS: number): PlanSource[] {
  const byStart = new Map<string, { start: UnitStart; ids: string[] }>();
  for (const device of devices) {
    const start = startOf(device, modeNames, stepS);
    const key = JSON.stringify(start);
    const others = byStart.get(key);
    if (others === undefined) byStart.set(key, { start, ids: [device.id] });
    else others.ids.push(device.id);
  }
  return [...byStart.values()].map(({ start, ids }) => ({ start, count: ids.length, ids }));
}

/** Returns everything but id and state as text: devices that agree in it are interchangeable. */
function makeOf({ id: _, state, stateForS, mode, ...make }: PlanDevice): string {
  return JSON.stringify(make);
}

function deviceClass(devices: readonly PlanDevice[], input: FleetPlanInput): PlanClass {
  const first = devices[0] as PlanDevice;
  const { stepS, tariffUsdPerKwh, targetUtilization, slo } = input;
  const usdOfWatts = (watts: number, seconds: number) => (watts * seconds * tariffUsdPerKwh) / 3_600_000;
  const hourlyUsd = (first.usdPerHourActive * stepS) / 3600;
  const usable = first.modes.filter(({ p95Ms, capacityQps }) => p95Ms <= slo.p95Ms && capacityQps > 0);
  const switchSteps = wholeSteps(first.modeSwitchS, stepS);
  const names = usable.map(({ name }) => name);
  return {
    kind: "device",
    name: first.class,
    modes: usable.map(({ name, capacityQps, busyWatts, idleWatts }) => ({
      name,
      carriedQps: capacityQps * targetUtilization,
      idleUsd: usdOfWatts(idleWatts, stepS) + hourlyUsd,
      usdPerQps: usdOfWatts(busyWatts - idleWatts, stepS) / capacityQps,
      switchUsd: usdOfWatts(busyWatts - idleWatts, first.modeSwitchS),
    })),
    sources: sourcesOf(devices, names, stepS),
    startupSteps: wholeSteps(first.startupS, stepS),
    minOnSteps: wholeSteps(first.minActiveS, stepS),
    minOffSteps: wholeSteps(first.minStandbyS, stepS),
    switchLoss: Array.from({ length: switchSteps }, (_, step) => Math.min(1, first.modeSwitchS / stepS - step)),
    startUsd: first.startupCostUsd,
    offUsd: usdOfWatts(first.standbyWatts, stepS),
    startingUsd: usdOfWatts(Math.max(...first.modes.map(({ idleWatts }) => idleWatts)), stepS) + hourlyUsd,
  };
}

function cloudClass(offer: CloudOffer, input: FleetPlanInput, maxQps: number): PlanClass {
  const { stepS, targetUtilization } = input;
  const carriedQps = offer.capacityQps * targetUtilization;
  const hourlyUsd = (offer.usdPerHour * stepS) / 3600;
  // Units beyond those that carry the highest possible rate are never of use.
  const useful = Math.ceil(maxQps / carriedQps);
  const others = Math.max(0, Math.min(offer.max, useful) - offer.running);
  return {
    kind: "cloud",
    name: offer.id,
    modes: [{ name: offer.kind, carriedQps, idleUsd: hourlyUsd, usdPerQps: offer.usdPerRequest * stepS, switchUsd: 0 }],
    sources: [
      { start: { kind: "on", mode: 0, stays: 0 } as const, count: offer.running, ids: [] },
      { start: { kind: "off", stays: 0 } as const, count: others, ids: [] },
    ].filter(({ count }) => count > 0),
    startupSteps: wholeSteps(offer.startupS, stepS),
    minOnSteps: 0,
    minOffSteps: 0,
    switchLoss: [],
    startUsd: 0,
    offUsd: 0,
    startingUsd: hourlyUsd,
  };
}

export const countUnits = ({ sources }: PlanClass) => sources.reduce((sum, { count }) => sum + count, 0);

/** True when the units that serve have to carry more than the demand. */
export const asksForCover = ({ spareDevices, coverQps, demandQps }: PlanProblem) =>
  spareDevices > 0 || coverQps.some((qps, step) => qps > (demandQps[step] as number));

/**
 * Turns an input into whole steps and classes of equal units.
 * @param cover rates above the demand that have to be carried if they came.
 */
export function toPlanProblem(
  input: FleetPlanInput,
  { qps: coverQps, share }: Cover = { qps: [], share: spareShare },
): PlanProblem {
  const { stepS, horizonSteps, slo, shortfallUsdPerRequest, tariffUsdPerKwh } = input;
  const leftOut: LeftOutDevice[] = [];
  const byMake = new Map<string, PlanDevice[]>();
  let fixedUsd = 0;
  for (const device of input.devices) {
    const { id, state } = device;
    const fast = device.modes.filter(({ p95Ms }) => p95Ms <= slo.p95Ms);
    const fastestP95Ms = Math.min(...device.modes.map(({ p95Ms }) => p95Ms));
    if (state === "offline" || state === "draining") {
      leftOut.push({ id, rule: state, fastestP95Ms });
    } else if (!fast.some(({ capacityQps }) => capacityQps > 0)) {
      leftOut.push({ id, rule: fast.length === 0 ? "too-slow" : "no-capacity", fastestP95Ms });
      fixedUsd += (device.standbyWatts * stepS * horizonSteps * tariffUsdPerKwh) / 3_600_000;
    } else {
      const make = makeOf(device);
      const others = byMake.get(make);
      if (others === undefined) byMake.set(make, [device]);
      else others.push(device);
    }
  }
  const offers = input.cloud.filter(({ p95Ms, capacityQps, max }) => p95Ms <= slo.p95Ms && capacityQps > 0 && max > 0);
  const maxQps = Math.max(...input.demandQps, ...coverQps);
  const shortfallUsdPerQps = shortfallUsdPerRequest * stepS;
  return {
    steps: horizonSteps,
    demandQps: input.demandQps,
    coverQps: input.demandQps.map((demand, step) => Math.max(demand, coverQps[step] ?? 0)),
    spareDevices: input.spareDevices,
    shortfallUsdPerQps,
    uncoveredUsdPerQps: shortfallUsdPerQps * share,
    classes: [
      ...[...byMake.values()].map((devices) => deviceClass(devices, input)),
      ...offers.map((offer) => cloudClass(offer, input, maxQps)),
    ].filter(({ sources }) => sources.length > 0),
    fixedUsd,
    leftOut,
  };
}
