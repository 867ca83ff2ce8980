import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";

/**
 * Up to three devices of makes of their own with figures from far apart: steps of 20 s to 5 min, capacities from none over thousandths to hundreds a
 * second, starts and minimum times longer than the horizon, standby that draws more than serving, prices of nothing.
 */
export function wildPlanInput(seed: number): FleetPlanInput {
  const random = seededRandom(seed * 7919 + 13);
  const between = (from: number, to: number) => from + random() * (to - from);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const pick = <T>(values: readonly T[]) => values[whole(0, values.length - 1)] as T;
  const stepS = pick([20, 45, 60, 300]);
  const steps = whole(2, 4);
  const devices = Array.from({ length: whole(1, 3) }, (_, index) => {
    const modes = Array.from({ length: whole(1, 2) }, (_, mode) => {
      const idleWatts = between(0, 40);
      return {
        name: `m${mode}`,
        capacityQps: pick([0, between(0.001, 0.01), between(1, 60), between(100, 900)]),
        p95Ms: between(1, 60),
        idleWatts,
        busyWatts: idleWatts + between(0, 100),
      };
    });
    return {
      id: `d${index}`,
      class: `c${index}`,
      modes,
      state: pick(["active", "active", "standby", "standby", "starting", "draining"] as const),
      stateForS: pick([0, between(0, 500), 1e6]),
      mode: pick(modes).name,
      standbyWatts: between(0, 30),
      startupS: pick([0, between(1, 100), between(100, 600)]),
      minActiveS: pick([0, between(1, 700)]),
      minStandbyS: pick([0, between(1, 700)]),
      modeSwitchS: pick([0, between(0.1, 30), between(30, 400)]),
      startupCostUsd: pick([0, between(0, 0.01)]),
      usdPerHourActive: pick([0, between(0, 2)]),
    };
  });
  const totalQps = devices.reduce(
    (sum, { modes }) => sum + Math.max(...modes.map(({ capacityQps }) => capacityQps)),
    0,
  );
  const max = whole(0, 1);
  const offer = () => ({
    id: "x",
    kind: pick(["spot", "on-demand", "serverless"] as const),
    capacityQps: between(0.5, 1) * Math.max(1, totalQps),
    p95Ms: between(1, 60),
    usdPerHour: pick([0, between(0, 1)]),
    usdPerRequest: pick([0, between(0, 1e-5)]),
    startupS: pick([0, between(1, 400)]),
    max,
    running: whole(0, max),
  });
  const cloud = random() < 0.5 ? [] : [offer()];
  return {
    stepS,
    horizonSteps: steps,
    demandQps: Array.from({ length: steps }, () => pick([0, between(0, 1.4) * totalQps, between(0, 0.3) * totalQps])),
    targetUtilization: between(0.3, 1),
    spareDevices: pick([0, 0, 1, 1, 2, 5]),
    slo: { p95Ms: between(20, 80) },
    tariffUsdPerKwh: pick([0, between(0.01, 1)]),
    shortfallUsdPerRequest: pick([0, between(1e-8, 1e-5), between(1e-5, 0.01)]),
    devices,
    cloud,
  };
}
