import type { Prices } from "#controller/cost/price-minute.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { createForecastMisses, dayOfComparisons } from "#controller/scaling/fleet-plan/forecast-misses.ts";
import { createMissBudget } from "#controller/scaling/fleet-plan/miss-budget.ts";
import { seasonalFloorQps } from "#controller/scaling/fleet-plan/seasonal-floor.ts";
import type { FleetPlanner } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import type { ReplicaBounds } from "#controller/scaling/policy/bounds-of-decision.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { decideCloudUnits, plannableOffers } from "./decide-cloud-units.ts";
import { capacityOf, decidePlannedAgents, highestCapacityOf } from "./decide-planned-agents.ts";
import { observeCloudUnits } from "./observe-cloud.ts";
import { observePlannable } from "./observe-plannable.ts";
import { toPlanInput } from "./to-plan-input.ts";
import { leavesRoomToShrink, withCloud } from "./with-cloud.ts";

const minuteMs = 60_000;

export interface PlannedAgentsParts {
  readonly config: ScalingConfig;
  /** The fleet's: an agent's own come first. */
  readonly prices: Prices;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly planner: FleetPlanner;
  readonly nowMs: () => number;
}

/** Decides by the fleet plan, where the plain rule has no more urgent word. */
export interface PlannedAgents {
  /** Takes note of what came and of what is now forecast, so that it is known how far forecasts are off. */
  observe(history: readonly MinuteRate[], forecast: ForecastReport): void;
  /** What the plan says now, within `bounds`; `plain`, what the plain rule says, where it goes first or there is nothing to plan on. */
  decide(
    inputs: ScalingInputs,
    plain: ActiveAgentsDecision,
    bounds: ReplicaBounds,
    /** With the agents that are units of cloud offers; `inputs` is of the fleet's own devices. */
    everyone: readonly AgentCandidate[],
  ): Promise<ActiveAgentsDecision>;
}

/** The plain rule's word goes first: it is about warming up, lost agents, operators, limits, or there is no forecast to plan on. */
function goesFirst(plain: ActiveAgentsDecision, inputs: ScalingInputs, config: ScalingConfig): boolean {
  if (inputs.forecastPeakQps === null) return true;
  switch (plain.kind) {
    case "hold":
      return ["warming-up", "no-agents", "no-data"].includes(plain.rule);
    case "scale-out":
      return plain.rule !== "peak" && plain.rule !== "overloaded";
    case "scale-in":
      return plain.rule === "override" || plain.figures.activeCount > config.maxReplicas;
    case "change-modes":
      return false;
    default:
      return plain satisfies never;
  }
}

export function createPlannedAgents(parts: PlannedAgentsParts): PlannedAgents {
  const { config, fleet, desired, planner, nowMs } = parts;
  const misses = createForecastMisses(config.plan.quantile, {
    windowMinutes: config.liveWindowMinutes,
    cautiousFor: dayOfComparisons,
  });
  const missBudget = createMissBudget();
  let lastLearntMs = Number.NEGATIVE_INFINITY;
  let expectedQps: readonly number[] = [];
  /** What the hour usually takes, for each of the minutes that are forecast; 0 where that is not known. */
  let usualQps: readonly number[] = [];
  /** Units of the offers that requests reach by themselves, as last planned. */
  let reached: ReadonlyMap<string, number> = new Map();
  /** Since when each agent has been meant to serve or not; long ago for those that were so when they were first seen. */
  const since = new Map<string, { active: boolean; atMs: number }>();

  const sinceMs = (agentId: string, active: boolean, atMs: number): number => {
    const known = since.get(agentId);
    if (known?.active === active) return known.atMs;
    const fromMs = known === undefined ? Number.NEGATIVE_INFINITY : atMs;
    since.set(agentId, { active, atMs: fromMs });
    return fromMs;
  };

  return {
    observe(history, forecast) {
      for (const { minuteStartMs, qps } of history) {
        if (minuteStartMs <= lastLearntMs) continue;
        if (qps !== null) misses.learn(minuteStartMs / minuteMs, qps);
        lastLearntMs = minuteStartMs;
      }
      const perStep = Math.max(1, Math.round(forecast.stepMs / minuteMs));
      expectedQps = Array.from(
        { length: config.horizonMinutes },
        (_, minute) => forecast.qps[Math.min(forecast.qps.length - 1, Math.floor(minute / perStep))] as number,
      );
      misses.note(lastLearntMs / minuteMs + 1, expectedQps);
      const totals = [0];
      for (const { qps } of history) totals.push((totals.at(-1) as number) + (qps ?? 0));
      usualQps = expectedQps.map((_, lead) => seasonalFloorQps(totals, history.length + lead) ?? 0);
    },
    async decide(inputs, plain, { minReplicas, maxReplicas }, everyone) {
      const config = { ...parts.config, minReplicas, maxReplicas };
      if (goesFirst(plain, inputs, config) || expectedQps.length === 0) return plain;
      const atMs = nowMs();
      const agents = inputs.candidates.flatMap((candidate) => {
        const agent = fleet.get(candidate.agentId);
        if (agent === undefined) return [];
        const { agentId, active } = candidate;
        return observePlannable(
          agent,
          candidate,
          desired.documents.get(agentId),
          desired.overrides.get(agentId),
          { prices: parts.prices, capacityPerReplicaQps: config.capacityPerReplicaQps },
          sinceMs(agentId, active, atMs),
          atMs,
        );
      });
      const serving = agents.filter(({ planned }) => planned.active && planned.available && planned.serves);
      if (inputs.liveQps !== null) {
        missBudget.learn(inputs.liveQps, inputs.liveQps > capacityOf(serving.map(({ planned }) => planned)));
      }
      const coverQps = missBudget
        .coverQps(expectedQps, misses.highQps(expectedQps, Math.ceil(config.plan.startupS / 60)))
        .map((qps, lead) => Math.max(qps, inputs.liveQps ?? 0, usualQps[lead] ?? 0));
      const units = observeCloudUnits(config.cloud, everyone, fleet);
      const devices = toPlanInput(
        agents.map(({ plannable }) => plannable),
        expectedQps,
        config,
        config.plan,
      );
      const devicesAndOffers = {
        ...devices,
        slo: { p95Ms: config.plan.p95Ms ?? devices.slo.p95Ms },
        cloud: plannableOffers(config.cloud, units, reached),
      };
      const plan = await planner.plan({
        input: devicesAndOffers,
        cover: { qps: coverQps, share: config.plan.coverShare },
        solverMs: config.plan.solverMs,
      });
      const planned = { plan, agents: agents.map(({ planned }) => planned), expectedQps, coverQps };
      const decision = decidePlannedAgents(inputs, plain.figures, planned, config, atMs);
      if (config.cloud.length === 0) return decision;
      const isWatched = inputs.observedSinceMs <= atMs - config.stabilizationMs;
      // What is left over with everything on that can be switched on; a plan may leave more than that, to save.
      const offered = devicesAndOffers.cloud.reduce((sum, { capacityQps, max }) => sum + capacityQps * max, 0);
      const mostQps = offered + highestCapacityOf(agents.map(({ planned }) => planned));
      const demandQps = Math.max(inputs.liveQps ?? 0, ...expectedQps.filter(Number.isFinite));
      const cloud = decideCloudUnits(
        plan.steps[0],
        Math.max(0, demandQps - config.targetUtilization * mostQps),
        config.cloud,
        units,
        {
          mayShrink: isWatched && inputs.missingData.length === 0 && leavesRoomToShrink(decision),
          needQps: Math.max(plain.figures.windowPeakQps ?? 0, inputs.liveQps ?? 0),
          devicesQps: config.targetUtilization * capacityOf(serving.map(({ planned }) => planned)),
          targetUtilization: config.targetUtilization,
        },
      );
      reached = new Map(cloud.wishes.flatMap(({ id, units, by }) => (by === "itself" ? [[id, units]] : [])));
      return withCloud(decision, cloud);
    },
  };
}
