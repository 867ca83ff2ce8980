import type { CloudOffer, FleetPlanInput, PlanDevice } from "./fleet-plan-input.ts";

/** A power mode that may be used, with what it is worth in a plan. Amounts are per step. */
export interface PlanMode {
  readonly name: string;
  /** What a unit carries at the target utilisation. */
  readonly carriedQps: number;
  /** Of a unit that serves without load, its hourly price included. */
  readonly idleUsd: number;
  /** Of each qps it serves, on top. */
  readonly usdPerQps: number;
  /** Of switching into it: full load is drawn meanwhile. */
  readonly switchUsd: number;
}

/** What a unit is doing when the plan begins, in whole steps. */
export type UnitStart =
  /** `mode` is null when its present mode may not be used: it has to switch at once. It can't leave before `stays` steps. */
  | { readonly kind: "on"; readonly mode: number | null; readonly stays: number }
  | { readonly kind: "off"; readonly stays: number }
  | { readonly kind: "starting"; readonly arrivesAt: number };

export interface PlanUnit {
  readonly id: string;
  readonly start: UnitStart;
}

/** Units that differ in nothing but their present state: devices of one make, or the units of a cloud offer. */
export interface PlanClass {
  readonly kind: "device" | "cloud";
  /** The devices' class, or the offer's id. */
  readonly name: string;
  readonly modes: readonly PlanMode[];
  readonly units: readonly PlanUnit[];
  readonly startupSteps: number;
  readonly minOnSteps: number;
  readonly minOffSteps: number;
  /** Share of its capacity that a unit lacks in the step of a switch and in those after it. */
  readonly switchLoss: readonly number[];
  readonly startUsd: number;
  readonly offUsd: number;
  readonly startingUsd: number;
}

/** The plan as a problem in whole steps and prices per step: what the solver and the search both work on. */
export interface PlanProblem {
  readonly steps: number;
  readonly demandQps: readonly number[];
  /** What has to be carried if it came to that, with the spare devices out: the demand, or more of it than is expected. */
  readonly coverQps: readonly number[];
  readonly spareDevices: number;
  /** Of one qps that nobody carries for a step. */
  readonly shortfallUsdPerQps: number;
  /** Of one qps of {@link coverQps} that would not be carried if the spare devices failed. */
  readonly uncoveredUsdPerQps: number;
  readonly classes: readonly PlanClass[];
  /** Electricity of devices that can't take part, for the whole plan. */
  readonly fixedUsd: number;
  /** Devices that can't take part, and why. */
  readonly leftOut: readonly { readonly id: string; readonly reason: string }[];
}

/** A spare that is missing costs half as much as a request lost: serving comes first. */
const spareShare = 0.5;

/** More than is expected, that has to be carried if it came. */
export interface Cover {
  /** By step; the demand counts where it is more. */
  readonly qps: readonly number[];
  /** What is not covered costs this share of a request lost: how likely it is to come. */
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

/** Everything but id and state: devices that agree in it are interchangeable. */
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
    units: devices.map((device) => ({ id: device.id, start: startOf(device, names, stepS) })),
    startupSteps: wholeSteps(first.startupS, stepS),
    minOnSteps: wholeSteps(first.minActiveS, stepS),
    minOffSteps: wholeSteps(first.minStandbyS, stepS),
    switchLoss: Array.from({ length: switchSteps }, (_, step) => Math.min(1, first.modeSwitchS / stepS - step)),
    startUsd: first.startupCostUsd,
    offUsd: usdOfWatts(first.standbyWatts, stepS),
    startingUsd: usdOfWatts(Math.max(...first.modes.map(({ idleWatts }) => idleWatts)), stepS) + hourlyUsd,
  };
}

function cloudClass(offer: CloudOffer, input: FleetPlanInput, mostQps: number): PlanClass {
  const { stepS, targetUtilization } = input;
  const carriedQps = offer.capacityQps * targetUtilization;
  const hourlyUsd = (offer.usdPerHour * stepS) / 3600;
  // More than carry the most that may come are never of use.
  const useful = Math.ceil(mostQps / carriedQps);
  return {
    kind: "cloud",
    name: offer.id,
    modes: [{ name: offer.kind, carriedQps, idleUsd: hourlyUsd, usdPerQps: offer.usdPerRequest * stepS, switchUsd: 0 }],
    units: Array.from({ length: Math.max(offer.running, Math.min(offer.max, useful)) }, (_, index) => ({
      id: offer.id,
      start: index < offer.running ? { kind: "on", mode: 0, stays: 0 } : { kind: "off", stays: 0 },
    })),
    startupSteps: wholeSteps(offer.startupS, stepS),
    minOnSteps: 0,
    minOffSteps: 0,
    switchLoss: [],
    startUsd: 0,
    offUsd: 0,
    startingUsd: hourlyUsd,
  };
}

/** Whether more has to be carried than the demand by what serves. */
export const asksForCover = ({ spareDevices, coverQps, demandQps }: PlanProblem) =>
  spareDevices > 0 || coverQps.some((qps, step) => qps > (demandQps[step] as number));

/**
 * Turns an input into whole steps and classes of equal units.
 * @param cover more than the demand that has to be carried if it came.
 */
export function toPlanProblem(
  input: FleetPlanInput,
  { qps: coverQps, share }: Cover = { qps: [], share: spareShare },
): PlanProblem {
  const { stepS, horizonSteps, slo, shortfallUsdPerRequest, tariffUsdPerKwh } = input;
  const leftOut: { id: string; reason: string }[] = [];
  const byMake = new Map<string, PlanDevice[]>();
  let fixedUsd = 0;
  for (const device of input.devices) {
    const { id, state } = device;
    const fast = device.modes.filter(({ p95Ms }) => p95Ms <= slo.p95Ms);
    if (state === "offline" || state === "draining") {
      leftOut.push({ id, reason: state });
    } else if (!fast.some(({ capacityQps }) => capacityQps > 0)) {
      const best = Math.min(...device.modes.map(({ p95Ms }) => p95Ms));
      const slow = `slo.p95Ms ${slo.p95Ms}: its fastest mode has a p95 of ${best} ms, ${+(best - slo.p95Ms).toFixed(3)} ms too slow`;
      leftOut.push({ id, reason: fast.length === 0 ? slow : "no mode within the SLO has any capacity" });
      fixedUsd += (device.standbyWatts * stepS * horizonSteps * tariffUsdPerKwh) / 3_600_000;
    } else {
      const make = makeOf(device);
      const others = byMake.get(make);
      if (others === undefined) byMake.set(make, [device]);
      else others.push(device);
    }
  }
  const offers = input.cloud.filter(({ p95Ms, capacityQps, max }) => p95Ms <= slo.p95Ms && capacityQps > 0 && max > 0);
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
      ...offers.map((offer) => cloudClass(offer, input, Math.max(...input.demandQps, ...coverQps))),
    ],
    fixedUsd,
    leftOut,
  };
}
