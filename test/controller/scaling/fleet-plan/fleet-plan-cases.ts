import type { CloudOffer, FleetPlanInput, PlanDevice } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";

/** A Thor board that serves, with two modes: 350 qps at 60 W busy, 150 qps at 20 W busy. */
export function device(id: string, over: Partial<PlanDevice> = {}): PlanDevice {
  return {
    id,
    class: "thor",
    state: "active",
    stateForS: 3600,
    mode: "MAXN",
    modes: [
      { name: "MAXN", capacityQps: 350, p95Ms: 12, busyWatts: 60, idleWatts: 20 },
      { name: "40W", capacityQps: 150, p95Ms: 20, busyWatts: 20, idleWatts: 8 },
    ],
    standbyWatts: 4,
    startupS: 60,
    minActiveS: 0,
    minStandbyS: 0,
    modeSwitchS: 0,
    startupCostUsd: 0,
    usdPerHourActive: 0,
    ...over,
  };
}

export function offer(id: string, over: Partial<CloudOffer> = {}): CloudOffer {
  return {
    id,
    kind: "on-demand",
    capacityQps: 300,
    p95Ms: 15,
    usdPerHour: 0.136,
    usdPerRequest: 0,
    startupS: 120,
    max: 4,
    running: 0,
    ...over,
  };
}

/** Five minutes of 200 qps for two boards. */
export function planInput(over: Partial<FleetPlanInput> = {}): FleetPlanInput {
  const demandQps = over.demandQps ?? [200, 200, 200, 200, 200];
  return {
    stepS: 60,
    horizonSteps: demandQps.length,
    demandQps,
    targetUtilization: 0.8,
    spareDevices: 0,
    slo: { p95Ms: 25 },
    tariffUsdPerKwh: 0.15,
    devices: [device("a"), device("b")],
    cloud: [],
    shortfallUsdPerRequest: 0.001,
    ...over,
  };
}
