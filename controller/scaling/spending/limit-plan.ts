import type { PlanConfig } from "#controller/scaling/apply-plan/plan-config.ts";
import type { PlannableAgent } from "#controller/scaling/apply-plan/to-plan-input.ts";
import type { CloudOffer } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import {
  effectOfSpending,
  type LimitedOffers,
  limitOffers,
  type Spending,
  type SpendingEffect,
} from "./decide-spending.ts";

/** Base of a plan: devices, offers, and the rates to be ready for, minute by minute. */
export interface PlanBasis {
  readonly agents: readonly PlannableAgent[];
  readonly offers: readonly CloudOffer[];
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
  /** Rate of now, below which nothing is covered. */
  readonly liveQps: number;
  readonly plan: PlanConfig;
}

/** Limits that a plan was made within. */
export interface PlannedSpending {
  readonly spending: Spending;
  readonly limited: Pick<LimitedOffers, "isOver" | "cut">;
  readonly effect: SpendingEffect;
}

/** Device without its most capable mode, if it has another that is known to carry anything and no operator holds it. */
function tightened(agent: PlannableAgent): PlannableAgent {
  const capacities = agent.modes.map(({ capacityQps }) => capacityQps ?? 0);
  const most = Math.max(...capacities);
  const modes = agent.modes.filter(({ capacityQps }) => capacityQps !== null && capacityQps > 0 && capacityQps < most);
  return modes.length === 0 ? agent : { ...agent, modes };
}

/** Returns the base of a plan within limits of spending, and what the limits do to users. */
export function limitPlan(
  basis: PlanBasis,
  spending: Spending,
  { targetUtilization, capacityPerReplicaQps }: { targetUtilization: number; capacityPerReplicaQps: number },
): PlanBasis & PlannedSpending {
  const { offers, cut, isOver } = limitOffers(basis.offers, spending, targetUtilization);
  const agents = spending.modesTightened ? basis.agents.map(tightened) : basis.agents;
  const { expectedQps } = basis;
  const carried = (of: Pick<PlanBasis, "agents" | "offers">) => {
    const devices = of.agents
      .filter(({ state }) => state !== "offline")
      .map(({ modes }) => Math.max(...modes.map(({ capacityQps }) => capacityQps ?? capacityPerReplicaQps)));
    const units = of.offers.map(({ capacityQps, max }) => capacityQps * max);
    return targetUtilization * [...devices, ...units].reduce((sum, qps) => sum + Math.max(0, qps), 0);
  };
  return {
    ...{ agents, offers, expectedQps, spending, limited: { cut, isOver } },
    liveQps: basis.liveQps,
    coverQps: spending.expectedOnly ? expectedQps.map((qps) => Math.max(qps, basis.liveQps)) : basis.coverQps,
    plan: spending.expectedOnly ? { ...basis.plan, spareDevices: 0 } : basis.plan,
    effect: effectOfSpending({
      ...{ carriedQps: carried(basis), leftQps: carried({ agents, offers }), expectedQps },
      coverQps: basis.coverQps,
    }),
  };
}
