import type { Prices } from "#controller/cost/price-minute.ts";
import type { FleetPlanInput, PlanDevice } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import type { PlanConfig } from "./plan-config.ts";

/** An agent as a plan sees it. */
export interface PlannableAgent {
  readonly agentId: string;
  readonly board: string;
  /** offline: it does not take part, whatever the reason. */
  readonly state: PlanDevice["state"];
  readonly stateForS: number;
  /** Present or last mode; null when it has none or doesn't say. */
  readonly mode: string | null;
  /** Modes it may be in; figures are null where the board doesn't know them. */
  readonly modes: readonly {
    readonly name: string;
    readonly capacityQps: number | null;
    readonly busyWatts: number | null;
    readonly idleWatts: number | null;
  }[];
  /** Prices of its own, or the fleet's. */
  readonly prices: Prices;
  /** True when an operator wants it to serve, whatever that costs. */
  readonly staysActive: boolean;
}

/** Name given to the mode of a board that has none. */
export const onlyMode = "as it is";
/** Watts assumed of a board that doesn't say what it draws: a hungry one's (a Thor at 130 W for 420 a second), so that others come first. */
const assumedWattsPerQps = 130 / 420;
const assumedIdleShare = 0.2;
const stepS = 60;
const maxStateS = 1e9;
const noLimit = 1e12;
/** Default price of a request for which there is no capacity, as a multiple of the cost of serving it: serving is what the devices are for. */
const shortfallFactor = 100;

const isFigure = (value: number | null): value is number => value !== null && Number.isFinite(value) && value >= 0;

/**
 * Returns an agent as a device of the plan.
 * @param tariffUsdPerKwh the plan's tariff: watts of a device that pays another one are scaled in proportion.
 */
function deviceOf(
  agent: PlannableAgent,
  capacityPerReplicaQps: number,
  tariffUsdPerKwh: number,
  plan: PlanConfig,
): PlanDevice {
  const { prices } = agent;
  const priced = (watts: number) => (tariffUsdPerKwh > 0 ? (watts * prices.tariffUsdPerKwh) / tariffUsdPerKwh : watts);
  const given =
    agent.modes.length > 0 ? agent.modes : [{ name: onlyMode, capacityQps: null, busyWatts: null, idleWatts: null }];
  const modes = given.map(({ name, capacityQps, busyWatts, idleWatts }) => {
    const capacity = isFigure(capacityQps) ? capacityQps : capacityPerReplicaQps;
    const busy = isFigure(busyWatts) ? busyWatts : capacity * assumedWattsPerQps;
    return {
      name,
      capacityQps: capacity,
      // Not reported: a board's figures are those at which it keeps its latency.
      p95Ms: 0,
      busyWatts: priced(busy),
      idleWatts: priced(Math.min(busy, isFigure(idleWatts) ? idleWatts : busy * assumedIdleShare)),
    };
  });
  const mostFrugalWatts = Math.min(...modes.map(({ idleWatts }) => idleWatts));
  const names = modes.map(({ name }) => name);
  return {
    id: agent.agentId,
    class: agent.board,
    state: agent.state,
    stateForS: Math.min(maxStateS, Math.max(0, agent.stateForS)),
    mode: agent.mode !== null && names.includes(agent.mode) ? agent.mode : (names[0] as string),
    modes,
    standbyWatts: plan.standbyWatts === null ? mostFrugalWatts : priced(plan.standbyWatts),
    startupS: plan.startupS,
    minActiveS: agent.staysActive ? noLimit : plan.minActiveS,
    minStandbyS: plan.minStandbyS,
    modeSwitchS: plan.modeSwitchS,
    startupCostUsd: plan.startupCostUsd,
    usdPerHourActive: plan.usdPerHourActive + plan.amortisationShare * prices.amortisationUsdPerHour,
  };
}

/** Price of a request on the most expensive device, in its most capable mode at the target utilisation. */
function dearestRequestUsd(devices: readonly PlanDevice[], targetUtilization: number, tariffUsdPerKwh: number): number {
  return Math.max(
    0,
    ...devices.map(({ modes, usdPerHourActive }) => {
      const top = modes.reduce((a, b) => (b.capacityQps > a.capacityQps ? b : a));
      const hourUsd = (top.busyWatts / 1000) * tariffUsdPerKwh + usdPerHourActive;
      return top.capacityQps > 0 ? hourUsd / (3600 * top.capacityQps * targetUtilization) : 0;
    }),
  );
}

/** Returns the fleet as the planner's input, minute by minute for as far as `demandQps` reaches. */
export function toPlanInput(
  agents: readonly PlannableAgent[],
  demandQps: readonly number[],
  { capacityPerReplicaQps, targetUtilization }: Pick<ScalingConfig, "capacityPerReplicaQps" | "targetUtilization">,
  plan: PlanConfig,
): FleetPlanInput {
  const tariffUsdPerKwh = Math.max(0, ...agents.map(({ prices }) => prices.tariffUsdPerKwh));
  const devices = agents.map((agent) => deviceOf(agent, capacityPerReplicaQps, tariffUsdPerKwh, plan));
  return {
    stepS,
    horizonSteps: demandQps.length,
    demandQps: [...demandQps],
    targetUtilization,
    spareDevices: plan.spareDevices,
    slo: { p95Ms: noLimit },
    tariffUsdPerKwh,
    shortfallUsdPerRequest:
      plan.shortfallUsdPerRequest ?? shortfallFactor * dearestRequestUsd(devices, targetUtilization, tariffUsdPerKwh),
    devices,
    cloud: [],
  };
}
