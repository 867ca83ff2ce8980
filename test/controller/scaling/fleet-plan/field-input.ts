import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";

/** Ratio of the lowest and highest figure of a fleet's demand to all its devices' top capacity, and how it gets from one to the other. */
const demands = [
  (step: number, steps: number) => 0.5 - 0.5 * Math.cos((2 * Math.PI * step) / steps),
  (step: number, steps: number) => 0.5 + 0.5 * Math.sin((2 * Math.PI * step) / steps),
  (step: number, steps: number) => (step < steps / 3 ? 0 : 1),
  (step: number, steps: number) => step / steps,
  null,
] as const;

/**
 * A fleet like those from the field in test/fixtures: devices in 3 to 6 classes with 2 to 4 modes in all sorts of states, up to 3 offers, one or two
 * spare devices, a demand that swings; the seed says which.
 */
export function fieldPlanInput(seed: number, devices?: number): FleetPlanInput {
  const random = seededRandom(seed * 104_729 + 7);
  const between = (from: number, to: number) => from + random() * (to - from);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const pick = <T>(values: readonly T[]) => values[whole(0, values.length - 1)] as T;
  const makes = Array.from({ length: whole(3, 6) }, (_, make) => {
    const [topQps, topWatts, idleWatts] = [between(80, 500), between(55, 135), between(11, 30)];
    const factor = between(0.65, 0.85);
    const modes = Array.from({ length: whole(2, 4) }, (_, mode) => ({
      name: `m${mode}`,
      capacityQps: topQps * factor ** mode,
      p95Ms: between(10, 32) + 2 * mode,
      busyWatts: idleWatts + (topWatts - idleWatts) * (factor - 0.02) ** mode,
      idleWatts: idleWatts * 0.95 ** mode,
    }));
    return {
      class: `c${make}`,
      modes,
      standbyWatts: between(2, 11),
      startupS: pick([0, 30, 60, 90]),
      minActiveS: pick([0, 60, 120, 300]),
      minStandbyS: pick([0, 60, 180]),
      modeSwitchS: pick([1, 20, 90]),
      startupCostUsd: pick([0, 0.0002, 0.002]),
      usdPerHourActive: pick([0, 0.01, 0.05]),
    };
  });
  const fleet = Array.from({ length: devices ?? whole(30, 60) }, (_, index) => {
    const make = pick(makes);
    const state = pick(["active", "active", "active", "standby", "standby", "starting", "active", "offline"] as const);
    const stateForS = pick([0, 30, 60, 150, 1000, 100_000]);
    return { id: `d${index}`, ...make, state, stateForS, mode: pick(make.modes).name };
  });
  const totalQps = fleet.reduce((sum, { modes }) => sum + (modes[0]?.capacityQps ?? 0), 0);
  const horizonSteps = pick([12, 12, 15]);
  const [lowQps, highQps] = [between(0.05, 0.3) * totalQps, between(0.4, 0.75) * totalQps];
  const demand = pick(demands);
  const cloud = Array.from({ length: whole(0, 3) }, (_, offer) => {
    const capacityQps = between(100, 500);
    const max = whole(4, 12);
    return {
      id: `o${offer}`,
      kind: pick(["spot", "on-demand"] as const),
      capacityQps,
      p95Ms: between(9, 30),
      usdPerHour: capacityQps * between(0.0003, 0.0011),
      usdPerRequest: pick([0, 0, 1e-7, 1e-6]),
      startupS: pick([0, 60, 120, 300]),
      max,
      running: whole(0, 3),
    };
  });
  return {
    stepS: 60,
    horizonSteps,
    demandQps: Array.from(
      { length: horizonSteps },
      (_, step) => lowQps + (highQps - lowQps) * (demand === null ? random() : demand(step, horizonSteps)),
    ),
    targetUtilization: pick([0.7, 0.8, 0.88]),
    spareDevices: pick([0, 1, 1, 2, 2]),
    slo: { p95Ms: pick([25, 28, 32]) },
    tariffUsdPerKwh: between(0.1, 0.35),
    devices: fleet,
    cloud,
    shortfallUsdPerRequest: pick([0.0001, 0.0001, 0.00001]),
  };
}
