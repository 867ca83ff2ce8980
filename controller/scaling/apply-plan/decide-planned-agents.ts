import type {
  ActiveAgentsDecision,
  ModeChange,
  PlanSummary,
  ScalingFigures,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { onlyMode } from "./to-plan-input.ts";

/** An agent that serves now or could, with the modes it may be in. */
export interface PlannedAgent {
  readonly agentId: string;
  readonly available: boolean;
  /** True when it is meant to serve; `serves`: when it does. */
  readonly active: boolean;
  readonly serves: boolean;
  /** Null when it is unknown. */
  readonly mode: string | null;
  readonly capacityByMode: ReadonlyMap<string, number>;
  /** True when an operator decides its role or mode: the plan leaves it as it is. */
  readonly roleIsHeld: boolean;
  readonly modeIsHeld: boolean;
  /** False while its mode was changed too lately, or too often, to be lowered. */
  readonly mayLower: boolean;
}

export interface PlannedFleet {
  readonly plan: FleetPlan;
  readonly agents: readonly PlannedAgent[];
  /** Rates that are expected, and those that are possible, by minute. */
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
}

export interface Carrying {
  readonly devices: number;
  /** Rate that they carry at the target utilisation. */
  readonly carriedQps: number;
}

/** Circumstances of a decision by the plan. */
export interface PlannedCause {
  /** Finer than the decision's own rule: two holds may have different causes. */
  readonly rule:
    | "start"
    | "stand-by"
    | "lower-modes"
    | "raise-modes"
    | "minimum"
    | "needed-lately"
    | "missing-data"
    | "slo-missed"
    | "held-off"
    | "not-watched"
    | "mode-dwell"
    | "maximum"
    | "cheapest";
  /** Devices that serve before the decision, and those that serve after it. */
  readonly now: Carrying;
  readonly after: Carrying;
  readonly moves: readonly { readonly agentId: string; readonly from: string | null; readonly to: string | null }[];
  /** Agents that the plan could do without. */
  readonly spare: readonly string[];
  /** Highest rate of the stabilisation window. */
  readonly neededQps: number;
  /** True when the maximum allows fewer starts than the plan wants. */
  readonly reachesMaximum: boolean;
}

export type PlannedDecision = ActiveAgentsDecision & { readonly plan: PlanSummary; readonly planned: PlannedCause };

function summarise({ costUsd, boundUsd, gap, feasible, steps }: FleetPlan): PlanSummary {
  const known = boundUsd > 0;
  const devices = (steps[0]?.active.length ?? 0) + (steps[0]?.starting.length ?? 0);
  return { costUsd, boundUsd: known ? boundUsd : null, gap: known ? gap : null, feasible, devices };
}

const capacityIn = (agent: PlannedAgent, mode: string | null) =>
  agent.capacityByMode.get(mode ?? "") ?? Math.max(0, ...agent.capacityByMode.values());

/** Capacity of agents in the modes they are in. */
export const capacityOf = (agents: readonly PlannedAgent[]): number =>
  agents.reduce((sum, agent) => sum + capacityIn(agent, agent.mode), 0);

/** Capacity of the agents that are available, each in its most capable mode. */
export const maxCapacityOf = (agents: readonly PlannedAgent[]): number =>
  agents.reduce((sum, agent) => sum + (agent.available ? Math.max(0, ...agent.capacityByMode.values()) : 0), 0);

type ModeOf = (agent: PlannedAgent) => string | null;

/** Rate that agents carry at the target utilisation; one that is still starting carries nothing. */
function carriedQps(agents: readonly PlannedAgent[], modeOf: ModeOf, targetUtilization: number): number {
  return targetUtilization * agents.reduce((sum, each) => sum + (each.serves ? capacityIn(each, modeOf(each)) : 0), 0);
}

/**
 * Chooses, one by one, which agents the plan can do without leave and which of the modes that it would lower are lowered, as long as the
 * rest carries `neededQps` and at least `minAgents` serve.
 */
function chooseLess(
  active: readonly PlannedAgent[],
  candidates: { readonly spare: readonly PlannedAgent[]; readonly lowered: readonly PlannedAgent[] },
  modes: { readonly planned: ModeOf; readonly raised: ModeOf },
  limits: { readonly neededQps: number; readonly minAgents: number; readonly targetUtilization: number },
) {
  const { neededQps, minAgents, targetUtilization } = limits;
  // Sets keep the order in which agents were added, and find one of ten thousand at once.
  const leaving = new Set<PlannedAgent>();
  const lowering = new Set<PlannedAgent>();
  const rest = () => active.filter((agent) => !leaving.has(agent));
  const modeOf = (agent: PlannedAgent) => (lowering.has(agent) ? modes.planned(agent) : modes.raised(agent));
  const suffices = () => {
    const left = rest();
    if (left.length < minAgents || !left.some(({ serves }) => serves)) return false;
    return carriedQps(left, modeOf, targetUtilization) >= neededQps;
  };
  for (const [agents, chosen] of [
    [candidates.spare, leaving],
    [candidates.lowered, lowering],
  ] as const) {
    for (const agent of agents) {
      chosen.add(agent);
      if (!suffices()) chosen.delete(agent);
    }
  }
  const left = rest();
  const after = { devices: left.length, carriedQps: carriedQps(left, modeOf, targetUtilization) };
  return { leaving: [...leaving], lowering: [...lowering], after };
}

const idsOf = (agents: readonly PlannedAgent[]) => agents.map(({ agentId }) => agentId);

/**
 * Decides what is done now about a plan: its first step, within rules that hold whatever a plan says. No agent goes to standby and no mode
 * is lowered while figures are missing, nor below what the highest need of the stabilisation window takes, nor below the minimum; starts
 * come first, and never go beyond the maximum.
 */
export function decidePlannedAgents(
  inputs: ScalingInputs,
  figures: ScalingFigures,
  { plan, agents }: PlannedFleet,
  config: ScalingConfig,
  nowMs: number,
): PlannedDecision {
  const { targetUtilization } = config;
  const first = plan.steps[0];
  const target = new Map([...(first?.active ?? []), ...(first?.starting ?? [])].map(({ id, mode }) => [id, mode]));
  const active = agents.filter((agent) => agent.active && agent.available);
  const startable = agents.filter(
    (agent) => target.has(agent.agentId) && !agent.active && agent.available && !agent.roleIsHeld,
  );
  const starts = startable.slice(0, Math.max(0, config.maxReplicas - active.length));
  const spare = active.filter(({ agentId, roleIsHeld }) => !target.has(agentId) && !roleIsHeld);

  const plannedMode = (agent: PlannedAgent) => {
    const mode = target.get(agent.agentId) ?? agent.mode;
    return !config.plan.setPowerModes || agent.modeIsHeld || mode === onlyMode ? agent.mode : mode;
  };
  const rises = (agent: PlannedAgent) => capacityIn(agent, plannedMode(agent)) > capacityIn(agent, agent.mode);
  const changes = active.filter((agent) => target.has(agent.agentId) && plannedMode(agent) !== agent.mode);
  const raised = changes.filter(rises);
  const lower = changes.filter((agent) => !rises(agent));
  const lowered = lower.filter(({ mayLower }) => mayLower);
  const toModes = (chosen: readonly PlannedAgent[]): ModeChange[] =>
    chosen.flatMap((agent) => {
      const mode = config.plan.setPowerModes && !agent.modeIsHeld ? plannedMode(agent) : null;
      return mode === null ? [] : [{ agentId: agent.agentId, mode }];
    });

  const serving = active.filter(({ serves }) => serves);
  const now: Carrying = {
    devices: serving.length,
    carriedQps: carriedQps(serving, ({ mode }) => mode, targetUtilization),
  };
  const neededQps = Math.max(figures.windowPeakQps ?? 0, inputs.liveQps ?? 0);
  const basis = (
    rule: PlannedCause["rule"],
    moved: readonly PlannedAgent[] = [],
    after: Carrying = now,
  ): { figures: ScalingFigures; plan: PlanSummary; planned: PlannedCause } => ({
    ...{ figures, plan: summarise(plan) },
    planned: {
      ...{ rule, now, after, neededQps, spare: idsOf(spare), reachesMaximum: starts.length < startable.length },
      moves: moved.map((agent) => ({ agentId: agent.agentId, from: agent.mode, to: plannedMode(agent) })),
    },
  });
  const changeModes = (
    rule: PlannedCause["rule"],
    moved: readonly PlannedAgent[],
    after?: Carrying,
  ): PlannedDecision => ({
    ...{ kind: "change-modes", rule: "plan", activate: [], standBy: [], modes: toModes(moved) },
    ...basis(rule, moved, after),
  });

  if (starts.length > 0) {
    return {
      ...{ kind: "scale-out", rule: "plan", activate: idsOf(starts), standBy: [] },
      modes: toModes([...starts, ...raised]),
      ...basis("start", raised),
    };
  }

  const wantsLess = spare.length + lowered.length > 0;
  const isComplete = inputs.missingData.length === 0;
  const isWatched = inputs.observedSinceMs <= nowMs - config.stabilizationMs;
  const isMissed = inputs.slo !== undefined && inputs.slo.rule !== "kept";
  const isHeldOff = (inputs.heldUntilMs ?? 0) > nowMs;
  if (wantsLess && isComplete && isWatched && !isMissed && !isHeldOff) {
    const minAgents = Math.min(config.minReplicas, active.length);
    const areRaised = new Set(raised);
    const { leaving, lowering, after } = chooseLess(
      active,
      { spare, lowered },
      { planned: plannedMode, raised: (agent) => (areRaised.has(agent) ? plannedMode(agent) : agent.mode) },
      { neededQps, minAgents, targetUtilization },
    );
    const changed = [...raised, ...lowering];
    if (leaving.length > 0) {
      return {
        ...{ kind: "scale-in", rule: "plan", activate: [], standBy: idsOf(leaving), modes: toModes(changed) },
        ...basis("stand-by", changed, after),
      };
    }
    if (changed.length > 0) return changeModes("lower-modes", changed, after);
    return active.length <= Math.max(1, minAgents)
      ? { kind: "hold", rule: "plan", ...basis("minimum") }
      : { kind: "hold", rule: "stabilising", ...basis("needed-lately") };
  }
  if (raised.length > 0) return changeModes("raise-modes", raised);
  if (wantsLess && isMissed) return { kind: "hold", rule: "slo-missed", ...basis("slo-missed") };
  if (wantsLess && isHeldOff) return { kind: "hold", rule: "held-off", ...basis("held-off") };
  if (wantsLess) {
    return isComplete
      ? { kind: "hold", rule: "stabilising", ...basis("not-watched") }
      : { kind: "hold", rule: "missing-data", ...basis("missing-data") };
  }
  if (lower.length > 0) return { kind: "hold", rule: "stabilising", ...basis("mode-dwell") };
  return startable.length > 0
    ? { kind: "hold", rule: "capacity", ...basis("maximum") }
    : { kind: "hold", rule: "plan", ...basis("cheapest") };
}
