import type { FleetPlanInput, PlanDevice } from "../fleet-plan/fleet-plan-input.ts";
import type { PlanConfig } from "./plan-config.ts";

/** An agent as a plan sees it. */
export interface PlannableAgent {
  readonly agentId: string;
  readonly board: string;
  /** offline: it takes no part, whatever the reason. */
  readonly state: PlanDevice["state"];
  readonly stateForS: number;
  /** The mode it is in, or was last; null when it has none or doesn't say. */
  readonly mode: string | null;
  /** The modes it may be in; null where the board doesn't know. */
  readonly modes: readonly {
    readonly name: string;
    readonly capacityQps: number | null;
    readonly busyWatts: number | null;
    readonly idleWatts: number | null;
  }[];
  /** An operator wants it to serve, whatever that costs. */
  readonly staysActive: boolean;
}

/** The name of the mode of a board that has none. */
export const onlyMode = "as it is";
/** A board that doesn't say what it draws is taken for a hungry one (a Thor at 130 W for 420 a second): others come first. */
const assumedWattsPerQps = 130 / 420;
const assumedIdleShare = 0.2;
const stepS = 60;
const veryLongS = 1e9;
const noLimit = 1e12;

const isFigure = (value: number | null): value is number => value !== null && Number.isFinite(value) && value >= 0;

function deviceOf(agent: PlannableAgent, capacityPerReplicaQps: number, plan: PlanConfig): PlanDevice {
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
      busyWatts: busy,
      idleWatts: Math.min(busy, isFigure(idleWatts) ? idleWatts : busy * assumedIdleShare),
    };
  });
  const names = modes.map(({ name }) => name);
  return {
    id: agent.agentId,
    class: agent.board,
    state: agent.state,
    stateForS: Math.min(veryLongS, Math.max(0, agent.stateForS)),
    mode: agent.mode !== null && names.includes(agent.mode) ? agent.mode : (names[0] as string),
    modes,
    standbyWatts: plan.standbyWatts,
    startupS: plan.startupS,
    minActiveS: agent.staysActive ? noLimit : plan.minActiveS,
    minStandbyS: plan.minStandbyS,
    modeSwitchS: plan.modeSwitchS,
    startupCostUsd: plan.startupCostUsd,
    usdPerHourActive: 0,
  };
}

/** The fleet as the planner's input, minute by minute for as far as `demandQps` reaches. */
export function toPlanInput(
  agents: readonly PlannableAgent[],
  demandQps: readonly number[],
  terms: {
    readonly capacityPerReplicaQps: number;
    readonly targetUtilization: number;
    readonly tariffUsdPerKwh: number;
  },
  plan: PlanConfig,
): FleetPlanInput {
  return {
    stepS,
    horizonSteps: demandQps.length,
    demandQps: [...demandQps],
    targetUtilization: terms.targetUtilization,
    spareDevices: plan.spareDevices,
    slo: { p95Ms: noLimit },
    tariffUsdPerKwh: terms.tariffUsdPerKwh,
    shortfallUsdPerRequest: plan.shortfallUsdPerRequest,
    devices: agents.map((agent) => deviceOf(agent, terms.capacityPerReplicaQps, plan)),
    cloud: [],
  };
}
