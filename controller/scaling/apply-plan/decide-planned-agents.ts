import { duration, list, qps } from "#controller/scaling/active-agents/describe-figures.ts";
import type {
  ActiveAgentsDecision,
  ModeChange,
  PlanSummary,
  ScalingFigures,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { describeCarried, describePrice, describeTraffic } from "./describe-planned.ts";
import { onlyMode } from "./to-plan-input.ts";

/** What serves now or could, with the modes it may be in. */
export interface PlannedAgent {
  readonly agentId: string;
  readonly available: boolean;
  /** Whether it is meant to serve, and whether it does. */
  readonly active: boolean;
  readonly serves: boolean;
  /** Null when it is not known. */
  readonly mode: string | null;
  readonly capacityByMode: ReadonlyMap<string, number>;
  /** An operator's word on its role or mode: the plan leaves it as it is. */
  readonly roleIsHeld: boolean;
  readonly modeIsHeld: boolean;
}

export interface PlannedFleet {
  readonly plan: FleetPlan;
  readonly agents: readonly PlannedAgent[];
  /** What is expected and what may come, by minute. */
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
}

function summarise({ costUsd, boundUsd, gap, reasons, feasible, steps }: FleetPlan): PlanSummary {
  const known = boundUsd > 0;
  const devices = (steps[0]?.active.length ?? 0) + (steps[0]?.starting.length ?? 0);
  return { costUsd, boundUsd: known ? boundUsd : null, gap: known ? gap : null, feasible, devices, reasons };
}

const capacityIn = (agent: PlannedAgent, mode: string | null) =>
  agent.capacityByMode.get(mode ?? "") ?? Math.max(0, ...agent.capacityByMode.values());

/** What agents carry at most in the modes they are in. */
export const capacityOf = (agents: readonly PlannedAgent[]): number =>
  agents.reduce((sum, agent) => sum + capacityIn(agent, agent.mode), 0);

/** What those that are available carry at most, each in its most capable mode. */
export const highestCapacityOf = (agents: readonly PlannedAgent[]): number =>
  agents.reduce((sum, agent) => sum + (agent.available ? Math.max(0, ...agent.capacityByMode.values()) : 0), 0);

/** What the agents that serve carry at the target utilisation; who is still starting carries nothing. */
function carriedQps(
  agents: readonly PlannedAgent[],
  modeOf: (agent: PlannedAgent) => string | null,
  targetUtilization: number,
): number {
  return targetUtilization * agents.reduce((sum, each) => sum + (each.serves ? capacityIn(each, modeOf(each)) : 0), 0);
}

/**
 * Of those the plan can do without, and of modes it would lower: as many, one by one, as leave enough to carry `needQps` and as many agents as
 * must serve.
 */
function chooseLess(
  active: readonly PlannedAgent[],
  wishes: { readonly leavers: readonly PlannedAgent[]; readonly lowered: readonly PlannedAgent[] },
  modes: {
    readonly planned: (agent: PlannedAgent) => string | null;
    readonly raised: (agent: PlannedAgent) => string | null;
  },
  { needQps, fewest, targetUtilization }: { needQps: number; fewest: number; targetUtilization: number },
) {
  const leaving: PlannedAgent[] = [];
  const lowering: PlannedAgent[] = [];
  const rest = () => active.filter((agent) => !leaving.includes(agent));
  const modeOf = (agent: PlannedAgent) => (lowering.includes(agent) ? modes.planned(agent) : modes.raised(agent));
  const carried = () => carriedQps(rest(), modeOf, targetUtilization);
  const suffices = () => rest().length >= fewest && rest().some(({ serves }) => serves) && carried() >= needQps;
  for (const [agents, chosen] of [
    [wishes.leavers, leaving],
    [wishes.lowered, lowering],
  ] as const) {
    for (const agent of agents) {
      chosen.push(agent);
      if (!suffices()) chosen.pop();
    }
  }
  return { leaving, lowering, rest: rest(), carried: carried() };
}

/**
 * What is done now about a plan: its first step, within rules that hold whatever a plan says. Nobody goes to standby and no mode is
 * lowered while figures are missing, nor below what the highest need of the stabilisation window takes, nor below the minimum; starts come
 * first, and never go beyond the maximum.
 */
export function decidePlannedAgents(
  inputs: ScalingInputs,
  figures: ScalingFigures,
  { plan, agents, expectedQps, coverQps }: PlannedFleet,
  config: ScalingConfig,
  nowMs: number,
): ActiveAgentsDecision {
  const { targetUtilization } = config;
  const first = plan.steps[0];
  const target = new Map([...(first?.active ?? []), ...(first?.starting ?? [])].map(({ id, mode }) => [id, mode]));
  const active = agents.filter((agent) => agent.active && agent.available);
  const startable = agents.filter(
    (agent) => target.has(agent.agentId) && !agent.active && agent.available && !agent.roleIsHeld,
  );
  const starts = startable.slice(0, Math.max(0, config.maxReplicas - active.length));
  const leavers = active.filter(({ agentId, roleIsHeld }) => !target.has(agentId) && !roleIsHeld);

  const plannedMode = (agent: PlannedAgent) => {
    const mode = target.get(agent.agentId) ?? agent.mode;
    return !config.plan.setPowerModes || agent.modeIsHeld || mode === onlyMode ? agent.mode : mode;
  };
  const rises = (agent: PlannedAgent) => capacityIn(agent, plannedMode(agent)) > capacityIn(agent, agent.mode);
  const changes = active.filter((agent) => target.has(agent.agentId) && plannedMode(agent) !== agent.mode);
  const raised = changes.filter(rises);
  const lowered = changes.filter((agent) => !rises(agent));
  const toModes = (chosen: readonly PlannedAgent[]): ModeChange[] =>
    chosen.flatMap((agent) => {
      const mode = config.plan.setPowerModes && !agent.modeIsHeld ? plannedMode(agent) : null;
      return mode === null ? [] : [{ agentId: agent.agentId, mode }];
    });

  const summary = summarise(plan);
  const common = { figures, plan: summary };
  const traffic = describeTraffic(inputs.liveQps, expectedQps, coverQps);
  const price = describePrice(summary, expectedQps.length);
  const serving = active.filter(({ serves }) => serves);
  const now = describeCarried(
    serving.length,
    carriedQps(serving, ({ mode }) => mode, targetUtilization),
    targetUtilization,
  );
  const names = (chosen: readonly PlannedAgent[]) => list(chosen.map(({ agentId }) => agentId));
  const moves = (chosen: readonly PlannedAgent[]) =>
    list(chosen.map((agent) => `${agent.agentId} from ${agent.mode ?? "its present mode"} to ${plannedMode(agent)}`));
  const changeModes = (chosen: readonly PlannedAgent[], why: string): ActiveAgentsDecision => ({
    kind: "change-modes",
    rule: "plan",
    activate: [],
    standBy: [],
    modes: toModes(chosen),
    reason: `${traffic} ${why} ${price}`,
    ...common,
  });

  if (starts.length > 0) {
    const inModes = starts.map((agent) => {
      const mode = plannedMode(agent);
      return mode === null ? agent.agentId : `${agent.agentId} (${mode})`;
    });
    const also = raised.length === 0 ? "" : `, ${moves(raised)}`;
    const limit = starts.length < startable.length ? `; no more, as the maximum is ${config.maxReplicas}` : "";
    const swap = leavers.length === 0 ? "" : ` Then ${names(leavers)} can stand by.`;
    return {
      kind: "scale-out",
      rule: "plan",
      activate: starts.map(({ agentId }) => agentId),
      standBy: [],
      modes: toModes([...starts, ...raised]),
      reason: `${traffic} ${now} -> switch on ${list(inModes)}, to serve in about ${duration(config.plan.startupS)}${also}${limit}.${swap} ${price}`,
      ...common,
    };
  }

  const windowStartMs = nowMs - config.stabilizationMs;
  const wantsLess = leavers.length + lowered.length > 0;
  const hold = (rule: "plan" | "missing-data" | "stabilising" | "capacity", why: string): ActiveAgentsDecision => ({
    kind: "hold",
    rule,
    reason: `${traffic} ${why} ${price}`,
    ...common,
  });
  const isComplete = inputs.missingData.length === 0;
  const isWatched = inputs.observedSinceMs <= windowStartMs;
  if (wantsLess && isComplete && isWatched) {
    const needQps = Math.max(figures.windowPeakQps ?? 0, inputs.liveQps ?? 0);
    const fewest = Math.min(config.minReplicas, active.length);
    const { leaving, lowering, rest, carried } = chooseLess(
      active,
      { leavers, lowered },
      { planned: plannedMode, raised: (agent) => (raised.includes(agent) ? plannedMode(agent) : agent.mode) },
      { needQps, fewest, targetUtilization },
    );
    const changed = [...raised, ...lowering];
    const restText = describeCarried(rest.length, carried, targetUtilization);
    const lately = `${qps(needQps)} was needed at most in the last ${duration(config.stabilizationMs / 1000)}`;
    if (leaving.length > 0) {
      const also = changed.length === 0 ? "" : `, ${moves(changed)}`;
      return {
        kind: "scale-in",
        rule: "plan",
        activate: [],
        standBy: leaving.map(({ agentId }) => agentId),
        modes: toModes(changed),
        reason: `${traffic} -> ${names(leaving)} to standby${also}: the other ${restText}, and ${lately}. ${price}`,
        ...common,
      };
    }
    if (changed.length > 0) return changeModes(changed, `-> ${moves(changed)}: ${restText} so, with less electricity.`);
    if (active.length <= Math.max(1, fewest)) {
      return hold("plan", `${now}; less would do for that, but ${active.length} must serve at least.`);
    }
    return hold("stabilising", `${now}; less would do for that, but ${lately}.`);
  }
  if (raised.length > 0) return changeModes(raised, `${now} -> ${moves(raised)}, to carry more.`);
  if (!isComplete && wantsLess) {
    return hold("missing-data", `${now}; less would do, but nothing new is known of ${list(inputs.missingData)}.`);
  }
  if (wantsLess) {
    const leftS = (inputs.observedSinceMs - windowStartMs) / 1000;
    return hold("stabilising", `${now}; less would do, but traffic has to be watched for another ${duration(leftS)}.`);
  }
  const broken = plan.reasons.find((reason) => /^(demandQps|spareDevices|cover):/.test(reason));
  const help = (first?.cloud.length ?? 0) > 0 ? " with the cloud's help" : "";
  const missing = broken === undefined ? "" : ` What the plan can't keep: ${broken}.`;
  return startable.length > 0
    ? hold("capacity", `${now}; the plan wants more, but the maximum of ${config.maxReplicas} is on.${missing}`)
    : hold("plan", `${now}, which${help} is the cheapest way to carry that.${missing}`);
}
