import type { Prices } from "#controller/cost/price-minute.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  Explained,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { explainFleetPlan } from "#controller/scaling/fleet-plan/explain-fleet-plan.ts";
import { dayOfComparisons, ForecastMisses } from "#controller/scaling/fleet-plan/forecast-misses.ts";
import { createMissBudget } from "#controller/scaling/fleet-plan/miss-budget.ts";
import { seasonalFloorQps } from "#controller/scaling/fleet-plan/seasonal-floor.ts";
import type { FleetPlanner } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import type { ReplicaBounds } from "#controller/scaling/policy/bounds-of-decision.ts";
import { decideSpending } from "#controller/scaling/spending/decide-spending.ts";
import { limitPlan, type PlannedSpending } from "#controller/scaling/spending/limit-plan.ts";
import type { SpendingWatch } from "#controller/scaling/spending/spending-watch.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { decideCloudUnits, plannableOffers } from "./decide-cloud-units.ts";
import { decideModeDwell } from "./decide-mode-dwell.ts";
import { capacityOf, decidePlannedAgents, maxCapacityOf, type PlannedAgent } from "./decide-planned-agents.ts";
import { explainCloudUnits } from "./explain-cloud-units.ts";
import { explainPlannedAgents } from "./explain-planned-agents.ts";
import { observeCloudUnits } from "./observe-cloud.ts";
import { type ObservedForPlan, observePlannable } from "./observe-plannable.ts";
import { type PlannableAgent, toPlanInput } from "./to-plan-input.ts";
import { mayCloudShrink, withCloud } from "./with-cloud.ts";

export interface PlannedAgentsParts {
  readonly config: ScalingConfig;
  /** Prices of the fleet: an agent's own come first. */
  readonly prices: Prices;
  readonly fleet: Pick<Fleet, "get">;
  readonly desired: Pick<DesiredDocuments, "documents" | "overrides">;
  readonly planner: Pick<FleetPlanner, "plan">;
  readonly nowMs: () => number;
  /** Prices of an agent at a time, for plans: by the catalogue, with the price of carbon. Default: the configured ones. */
  readonly pricesAt?: (agentId: string, timeMs: number) => Prices;
  /** Limits of spending. Default: none. */
  readonly spending?: Pick<SpendingWatch, "current">;
}

/** Rate to be carried because the SLO is missed; 0 while it is met. */
const missedQps = ({ slo }: Pick<ScalingInputs, "slo">) =>
  slo === undefined || slo.rule === "kept" ? 0 : (slo.demandQps ?? 0);

/**
 * True when the plain rule goes first: it is about warming up, lost agents, operators, limits or users that are not given what they are
 * promised, or there is no forecast to plan on.
 */
export function plainGoesFirst(
  plain: ActiveAgentsDecision,
  inputs: Pick<ScalingInputs, "forecastPeakQps" | "slo">,
  { maxReplicas }: Pick<ScalingConfig, "maxReplicas">,
): boolean {
  if (inputs.forecastPeakQps === null) return true;
  if (plain.kind === "hold") return ["warming-up", "no-agents", "no-data"].includes(plain.rule);
  const isMissed = inputs.slo !== undefined && inputs.slo.rule !== "kept";
  if (plain.kind === "scale-out") return isMissed || (plain.rule !== "peak" && plain.rule !== "overloaded");
  return plain.kind === "scale-in" && (plain.rule === "override" || plain.figures.activeCount > maxReplicas);
}

/** Decides by the fleet plan, where the plain rule does not go first. */
export class PlannedAgents {
  readonly #parts: PlannedAgentsParts;
  readonly #misses: ForecastMisses;
  readonly #missBudget = createMissBudget();
  #lastLearntMs = Number.NEGATIVE_INFINITY;
  #budgetLearntMs = Number.NEGATIVE_INFINITY;
  #expectedQps: readonly number[] = [];
  #learntMinutes = 0;
  /** Calibrated 0.95 quantile of the highest coming rate; null where the forecast has none. */
  #peakQps95: number | null = null;
  /** Usual rate at that time of day, for each of the minutes that are forecast; 0 where that is unknown. */
  #usualQps: readonly number[] = [];
  #limits: PlannedSpending | null = null;
  /** Units of the offers that requests reach by themselves, as last planned. */
  #reached: ReadonlyMap<string, number> = new Map();
  /** Time since which each agent has been meant to serve or not; long ago for those that were so when they were first seen. */
  readonly #since = new Map<string, { readonly active: boolean; readonly atMs: number }>();

  /** Mode of each agent, and the times of its changes in the last day. */
  readonly #modes = new Map<string, { readonly mode: string | null; readonly switchesMs: readonly number[] }>();

  constructor(parts: PlannedAgentsParts) {
    const { plan, liveWindowMinutes } = parts.config;
    this.#parts = parts;
    this.#misses = new ForecastMisses(plan.quantile, {
      windowMinutes: liveWindowMinutes,
      cautiousFor: dayOfComparisons,
    });
  }

  /** Limits of spending that the latest plan was made within; null: there was none yet. */
  get limits(): PlannedSpending | null {
    return this.#limits;
  }

  /** Records what came and what is now forecast, so that it is known how far forecasts are off. */
  observe(history: readonly MinuteRate[], forecast: ForecastReport): void {
    for (const { minuteStartMs, qps } of history) {
      if (minuteStartMs <= this.#lastLearntMs) continue;
      if (qps !== null) {
        this.#misses.learn(minuteStartMs / minuteMs, qps);
        this.#learntMinutes += 1;
      }
      this.#lastLearntMs = minuteStartMs;
    }
    const perStep = Math.max(1, Math.round(forecast.stepMs / minuteMs));
    this.#expectedQps = Array.from(
      { length: this.#parts.config.horizonMinutes },
      (_, minute) => forecast.qps[Math.min(forecast.qps.length - 1, Math.floor(minute / perStep))] as number,
    );
    this.#misses.note(this.#lastLearntMs / minuteMs + 1, this.#expectedQps);
    // The path's quantiles come with the blend; until then those of the peak are assumed ones.
    this.#peakQps95 = forecast.qps95 === undefined ? null : (forecast.peakQps?.q95 ?? null);
    const totals = [0];
    for (const { qps } of history) totals.push((totals.at(-1) as number) + (qps ?? 0));
    this.#usualQps = this.#expectedQps.map((_, lead) => seasonalFloorQps(totals, history.length + lead) ?? 0);
  }

  /**
   * Returns the plan's decision within `bounds`, explained; null where `plain`, the plain rule's decision, goes first or there is nothing to
   * plan on.
   * @param everyone all agents, units of cloud offers included; `inputs` has only the fleet's own devices.
   */
  async decide(
    inputs: ScalingInputs,
    plain: ActiveAgentsDecision,
    { minReplicas, maxReplicas }: ReplicaBounds,
    everyone: readonly AgentCandidate[],
  ): Promise<Explained<ActiveAgentsDecision> | null> {
    const { fleet, planner, nowMs } = this.#parts;
    const config = { ...this.#parts.config, minReplicas, maxReplicas };
    const expectedQps = this.#expectedQps.map((qps) => Math.max(qps, missedQps(inputs)));
    if (plainGoesFirst(plain, inputs, config) || expectedQps.length === 0) return null;
    const atMs = nowMs();
    const observed = this.#observeAgents(inputs.candidates, atMs);
    const agents = observed.map(({ planned }) => planned);
    const carriedNowQps = capacityOf(agents.filter(({ active, available, serves }) => active && available && serves));
    const coverQps = this.#coverQps(inputs.liveQps, carriedNowQps).map((qps) => Math.max(qps, missedQps(inputs)));
    const units = observeCloudUnits(config.cloud, everyone, fleet);
    const basis = {
      ...{ agents: observed.map(({ plannable }) => plannable), expectedQps, coverQps, plan: config.plan },
      liveQps: inputs.liveQps ?? 0,
      offers: plannableOffers(config.cloud, units, this.#reached),
    };
    const within = limitPlan(basis, this.#parts.spending?.current() ?? decideSpending(null, []), config);
    this.#limits = within;
    const { offers } = within;
    const devices = toPlanInput(within.agents, expectedQps, config, within.plan);
    const input = { ...devices, slo: { p95Ms: config.plan.p95Ms ?? devices.slo.p95Ms }, cloud: [...offers] };
    const plan = await planner.plan({
      input,
      cover: { qps: within.coverQps, share: config.plan.coverShare },
      solverMs: config.plan.solverMs,
    });
    const planned = { plan, agents, expectedQps, coverQps: within.coverQps };
    const decision = decidePlannedAgents(inputs, plain.figures, planned, config, atMs);
    const reasons = explainFleetPlan(plan, input);
    const summary = { plan: { ...decision.plan, reasons } };
    const reason = explainPlannedAgents(decision, inputs, planned, config, atMs, reasons);
    if (config.cloud.length === 0) return { ...decision, ...summary, reason };
    const isWatched = inputs.observedSinceMs <= atMs - config.stabilizationMs;
    // The demand that is left with everything on that can be switched on; a plan may leave more than that, to save.
    const offeredQps = offers.reduce((sum, { capacityQps, max }) => sum + capacityQps * max, 0);
    const demandQps = Math.max(inputs.liveQps ?? 0, ...expectedQps.filter(Number.isFinite));
    const cloud = decideCloudUnits(
      plan.steps[0],
      Math.max(0, demandQps - config.targetUtilization * (offeredQps + maxCapacityOf(agents))),
      config.cloud,
      units,
      {
        mayShrink: within.limited.isOver || (isWatched && inputs.missingData.length === 0 && mayCloudShrink(decision)),
        needQps: within.limited.isOver ? 0 : Math.max(plain.figures.windowPeakQps ?? 0, inputs.liveQps ?? 0),
        devicesQps: config.targetUtilization * carriedNowQps,
        targetUtilization: config.targetUtilization,
      },
    );
    this.#reached = new Map(cloud.targets.flatMap(({ id, units, by }) => (by === "itself" ? [[id, units]] : [])));
    const cloudReason = explainCloudUnits(cloud);
    return {
      ...withCloud(decision, cloud),
      ...summary,
      reason: cloudReason === "" ? reason : `${reason} ${cloudReason}`,
    };
  }

  #observeAgents(candidates: readonly AgentCandidate[], atMs: number): ObservedForPlan[] {
    const { prices, fleet, desired } = this.#parts;
    return candidates.flatMap((candidate) => {
      const { agentId, active } = candidate;
      const agent = fleet.get(agentId);
      if (agent === undefined) return [];
      const document = desired.documents.get(agentId);
      const override = desired.overrides.get(agentId);
      const sinceMs = this.#sinceMs(agentId, active, atMs);
      const observed = observePlannable(agent, candidate, document, override, prices, sinceMs, atMs);
      const plannable = { ...observed.plannable, prices: this.#pricesOf(observed.plannable, atMs) };
      return {
        ...observed,
        plannable,
        planned: { ...observed.planned, mayLower: this.#mayLower(observed.planned, atMs) },
      };
    });
  }

  /** Mean of an agent's prices over the horizon, quarter of an hour by quarter: a tariff may change within it. */
  #pricesOf({ agentId, prices }: PlannableAgent, atMs: number): Prices {
    const { pricesAt, config } = this.#parts;
    if (pricesAt === undefined) return prices;
    const quarters = Array.from({ length: Math.ceil(config.horizonMinutes / 15) }, (_, index) =>
      pricesAt(agentId, atMs + index * 15 * minuteMs),
    );
    const mean = (of: (each: Prices) => number) => quarters.reduce((sum, each) => sum + of(each), 0) / quarters.length;
    return {
      tariffUsdPerKwh: mean(({ tariffUsdPerKwh }) => tariffUsdPerKwh),
      amortisationUsdPerHour: mean(({ amortisationUsdPerHour }) => amortisationUsdPerHour),
    };
  }

  /** Notes a change of the agent's mode; returns true when it may be lowered now. */
  #mayLower({ agentId, mode }: PlannedAgent, atMs: number): boolean {
    const known = this.#modes.get(agentId);
    const switchesMs = (known?.switchesMs ?? []).filter((switchedMs) => switchedMs > atMs - dayMs);
    if (known !== undefined && mode !== null && known.mode !== null && known.mode !== mode) switchesMs.push(atMs);
    this.#modes.set(agentId, { mode: mode ?? known?.mode ?? null, switchesMs });
    return decideModeDwell(switchesMs, this.#parts.config.plan, atMs).rule === "free";
  }

  #sinceMs(agentId: string, active: boolean, atMs: number): number {
    const known = this.#since.get(agentId);
    if (known?.active === active) return known.atMs;
    const fromMs = known === undefined ? Number.NEGATIVE_INFINITY : atMs;
    this.#since.set(agentId, { active, atMs: fromMs });
    return fromMs;
  }

  /**
   * Rates to be ready for, by minute: after a day the calibrated quantile of the peak where there is one, else the forecast with learnt
   * headroom; no less than the present and the usual rate.
   */
  #coverQps(liveQps: number | null, carriedNowQps: number): number[] {
    const { startupS } = this.#parts.config.plan;
    // Rounds that users' trouble asks for are several a minute: each minute counts once.
    const isNew = this.#lastLearntMs !== this.#budgetLearntMs;
    if (liveQps !== null && isNew) this.#missBudget.learn(liveQps, liveQps > carriedNowQps);
    this.#budgetLearntMs = this.#lastLearntMs;
    const expected = this.#expectedQps;
    const peak = this.#learntMinutes < dayOfComparisons ? null : this.#peakQps95;
    const high =
      peak === null
        ? this.#misses.highQps(expected, Math.ceil(startupS / 60))
        : expected.map((qps) => Math.max(qps, peak));
    return this.#missBudget
      .coverQps(expected, high, peak !== null)
      .map((qps, lead) => Math.max(qps, liveQps ?? 0, this.#usualQps[lead] ?? 0));
  }
}
