import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";

export interface FleetShape {
  readonly devices: number;
  readonly classes: number;
  readonly maxModes: number;
  readonly steps: number;
  /** Units that a cloud offer has at most. */
  readonly maxUnits: number;
}

/** A fleet in all sorts of states with a demand that wanders; the seed says which. */
export function randomPlanInput(seed: number, shape: FleetShape): FleetPlanInput {
  const random = seededRandom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const pick = <T>(values: readonly T[]) => values[whole(0, values.length - 1)] as T;
  const makes = Array.from({ length: shape.classes }, (_, make) => {
    const topQps = whole(100, 400);
    return {
      class: `make-${make}`,
      modes: Array.from({ length: whole(1, shape.maxModes) }, (_, mode) => ({
        name: `mode-${mode}`,
        capacityQps: Math.round(topQps * (1 - mode * 0.25)),
        p95Ms: whole(10, 28),
        busyWatts: Math.round(60 * (1 - mode * 0.3)) + whole(5, 30),
        idleWatts: whole(5, 12) - mode,
      })),
      standbyWatts: whole(1, 4),
      startupS: pick([0, 30, 60, 120]),
      minActiveS: pick([0, 120, 300]),
      minStandbyS: pick([0, 60, 180]),
      modeSwitchS: pick([0, 10, 60, 90]),
      startupCostUsd: pick([0, 0.0001, 0.001]),
      usdPerHourActive: pick([0, 0.01, 0.1]),
    };
  });
  const devices = Array.from({ length: shape.devices }, (_, index) => {
    const make = pick(makes);
    return {
      id: `device-${index}`,
      ...make,
      state: pick(["active", "active", "standby", "standby", "starting", "draining", "offline"] as const),
      stateForS: whole(0, 400),
      mode: pick(make.modes).name,
    };
  });
  const totalQps = devices.reduce((sum, { modes }) => sum + (modes[0]?.capacityQps ?? 0), 0);
  let level = random() * 0.8 * totalQps;
  const demandQps = Array.from({ length: shape.steps }, () => {
    level *= 0.7 + 0.6 * random();
    return Math.round(level);
  });
  const spot = {
    id: "spot",
    kind: "spot" as const,
    capacityQps: 300,
    p95Ms: 20,
    usdPerHour: 0.068,
    usdPerRequest: 0,
    startupS: pick([0, 60, 120]),
    max: whole(0, shape.maxUnits),
    running: 0,
  };
  const serverless = {
    ...spot,
    id: "function",
    kind: "serverless" as const,
    capacityQps: 100,
    usdPerHour: 0,
    usdPerRequest: 4e-7,
    startupS: 0,
    max: 1,
  };
  return {
    stepS: 60,
    horizonSteps: shape.steps,
    demandQps,
    targetUtilization: pick([0.6, 0.8, 1]),
    spareDevices: pick([0, 0, 1, 2]),
    slo: { p95Ms: 25 },
    tariffUsdPerKwh: 0.15,
    devices,
    cloud: random() < 0.5 ? [] : [spot, serverless],
    shortfallUsdPerRequest: pick([0.001, 0.00001]),
  };
}
