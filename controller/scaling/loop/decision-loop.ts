import type { Prices } from "#controller/cost/price-minute.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import { ActWatch } from "#controller/scaling/active-agents/act-watch.ts";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { explainActiveAgents } from "#controller/scaling/active-agents/explain-active-agents.ts";
import { FleetForecast } from "#controller/scaling/active-agents/fleet-forecast.ts";
import {
  type ObservationLimits,
  type ObservedFleet,
  observeFleet,
} from "#controller/scaling/active-agents/observe-fleet.ts";
import type {
  ActiveAgentsDecision,
  Explained,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { createDocumentCapacity } from "#controller/scaling/actuators/document-capacity.ts";
import type { Machines } from "#controller/scaling/actuators/machines.ts";
import { ownDevices } from "#controller/scaling/apply-plan/observe-cloud.ts";
import { PlannedAgents, type PlannedAgentsParts } from "#controller/scaling/apply-plan/planned-agents.ts";
import type { FleetPlanner } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import { boundsOf, type ReplicaBounds } from "#controller/scaling/policy/bounds-of-decision.ts";
import type { FleetLook, LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import { type LookInputs, lookAtFleet } from "#controller/scaling/policy/look-at-fleet.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import type { AgentCapacity } from "#controller/scaling/slo/observe-capacity.ts";
import type { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import { SloGuard } from "#controller/scaling/slo/slo-guard.ts";
import type { ObservedSlo } from "#controller/scaling/slo/slo-watch.ts";
import type { SpendingWatch } from "#controller/scaling/spending/spending-watch.ts";
import { nothingDone } from "#controller/store/decision-record.ts";
import type { DecisionStore, KeptStore } from "#controller/store/store.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import type { Logger } from "#platform/log.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { actOnDecision, type DecisionActsParts } from "./act-on-decision.ts";
import { ActOutcomes } from "./act-outcomes.ts";
import { createChangeBudget } from "./change-budget.ts";
import { chooseDecision, holdFrozen, withPolicyReason } from "./choose-decision.ts";
import { DecisionRecords } from "./decision-records.ts";
import { type DocumentUpkeepParts, endDraining, endOverrides, remindLaggards, renewModes } from "./document-upkeep.ts";
import type { ScalingConfig } from "./scaling-config.ts";
import { shownInputs } from "./shown-inputs.ts";
import { WatchedTime } from "./watched-time.ts";

export interface DecisionLoopParts {
  readonly config: ScalingConfig;
  /** Service that users are promised. */
  readonly slo: SloConfig;
  readonly limits: Pick<ObservationLimits, "staleAfterMs">;
  readonly prices: Prices;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly store: DecisionStore & KeptStore;
  readonly forecaster: Forecaster;
  /** Required for `policy: fleet-plan`. */
  readonly planner?: FleetPlanner;
  /** Prices of an agent at a time, for plans. Default: the configured ones. */
  readonly pricesAt?: PlannedAgentsParts["pricesAt"];
  /** Limits of plans' spending. Default: none. */
  readonly spending?: SpendingWatch;
  /** ScalingPolicy that says how many agents serve; absent: the configuration's own limits. */
  readonly policy?: Pick<LivePolicy, "observe" | "decide"> & Partial<Pick<LivePolicy, "loadedAtMs" | "takeBack">>;
  /** Agents whose machines are switched on and off; absent: none are. */
  readonly machines?: Pick<Machines, "unavailability" | "reconcile">;
  /** Returns why an operator wants nothing to change now; null when it may. */
  readonly frozen?: () => string | null;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly onDecision: (decision: ActiveAgentsDecision) => void;
  /** Called with the time that each round took, ms of the machine's clock. */
  readonly onRound?: (tookMs: number, isUrgent: boolean) => void;
}

const intended = ({ candidates }: Pick<ScalingInputs, "candidates">) => candidates.filter(({ active }) => active);

/** The loop from the observed fleet to its agents' desired documents. The warm-up begins when it is created. */
export class DecisionLoop {
  readonly #parts: DecisionLoopParts;
  readonly #planned: PlannedAgents | null;
  readonly #watch: ActWatch;
  readonly #sloGuard: SloGuard;
  readonly #acts: DecisionActsParts;
  readonly #outcomes: ActOutcomes;
  readonly #records: DecisionRecords;
  readonly #upkeep: DocumentUpkeepParts;
  readonly #time: WatchedTime;
  readonly #forecast: FleetForecast;
  #capacities: ReadonlyMap<string, AgentCapacity> = new Map();
  #latest: { readonly atMs: number; readonly decision: Explained<ActiveAgentsDecision> } | null = null;
  #queue: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;
  /** True while the round to come was asked for by users' trouble alone. */
  #isUrgent = true;
  #hasRecovered = false;
  #isStopped = false;

  constructor(parts: DecisionLoopParts) {
    const { config, prices, limits, fleet, desired, store, planner, nowMs, log } = parts;
    const { confirmWithinMs, enabled } = config;
    this.#parts = parts;
    this.#planned =
      config.policy === "fleet-plan" && planner !== undefined
        ? new PlannedAgents({
            ...{ config, prices, fleet, desired, planner, nowMs },
            ...(parts.pricesAt === undefined ? {} : { pricesAt: parts.pricesAt }),
            ...(parts.spending === undefined ? {} : { spending: parts.spending }),
          })
        : null;
    this.#time = new WatchedTime(config, limits.staleAfterMs, nowMs(), log);
    this.#forecast = new FleetForecast({
      ...{ forecaster: parts.forecaster, horizonMinutes: config.horizonMinutes, nowMs, log },
      history: (lastMinuteMs) => fleet.traffic.history(lastMinuteMs),
      onForecast: (history, forecast) => {
        this.#planned?.observe(history, forecast);
        parts.policy?.observe(history, forecast);
      },
    });
    this.#watch = new ActWatch(config);
    const { targetUtilization, plan } = config;
    this.#sloGuard = new SloGuard({
      ...{ config: parts.slo, targetUtilization, setsModes: plan.setPowerModes, fleet, desired, store },
      policy: enabled ? parts.policy : undefined,
    });
    const roles = createDocumentCapacity({ fleet, desired, modeHoldMs: config.plan.modeHoldMs, nowMs });
    const budget = createChangeBudget(config, desired, nowMs);
    this.#acts = { roles, budget, desired, ownsModes: config.plan.setPowerModes, enabled, nowMs, log };
    this.#outcomes = new ActOutcomes({ fleet, desired, store, confirmWithinMs, ...limits, nowMs });
    this.#records = new DecisionRecords(store, log);
    this.#upkeep = { config, fleet, desired, roles, records: this.#records, nowMs, log };
  }

  /**
   * Runs a round: observe, forecast, decide, observe again and revalidate, act, record. Rounds never overlap; calls queue up.
   * @param isUrgent true: it is about what users felt; the forecast of this minute will do, and agents are reminded of nothing.
   */
  run(isUrgent = false): Promise<void> {
    if (!isUrgent) this.#isUrgent = false;
    // A round that has not begun sees all that this one would: agents that come and go faster than rounds end make no backlog.
    if (this.#waiting !== null) return this.#waiting;
    const result = this.#queue.then(() => {
      this.#waiting = null;
      const isUrgent = this.#isUrgent;
      this.#isUrgent = true;
      return this.#isStopped ? undefined : this.#timed(isUrgent);
    });
    this.#waiting = result;
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Waits for the round in progress; later calls of {@link run} do nothing. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#queue;
  }

  /** The latest decision, hold or not; null before the first. */
  latest(): { readonly atMs: number; readonly decision: Explained<ActiveAgentsDecision> } | null {
    return this.#latest;
  }

  /** Capacities of the agents by id, as the latest round counted on them; empty before the first. */
  latestCapacities(): ReadonlyMap<string, AgentCapacity> {
    return this.#capacities;
  }

  latestForecast(): ForecastReport | null {
    return this.#forecast.latest();
  }

  /** The fleet as a decision would see it now. */
  observe(): ObservedFleet {
    return this.#observe();
  }

  async #timed(isUrgent: boolean): Promise<void> {
    const startMs = performance.now();
    await this.#round(isUrgent);
    this.#parts.onRound?.(performance.now() - startMs, isUrgent);
  }

  async #round(isUrgent: boolean): Promise<void> {
    const { config, fleet, nowMs, machines, onDecision } = this.#parts;
    fleet.healClock(nowMs());
    this.#time.heal(nowMs(), this.#latest?.atMs ?? null);
    if (!this.#hasRecovered) {
      await this.#outcomes.recover();
      await this.#sloGuard.recover(nowMs());
    }
    this.#hasRecovered = true;
    await this.#outcomes.look();
    await endOverrides(this.#upkeep);
    await endDraining(this.#upkeep);
    const before = this.#observe();
    const forecastPeakQps = await this.#forecast.peakQps(before.lastWholeMinuteMs, isUrgent);
    // Forecasting takes a while: decide on the fleet as it is now.
    const observed = this.#observe();
    this.#capacities = observed.capacities;
    const atMs = nowMs();
    const slo = this.#sloGuard.observe(fleet.agents(), observed, atMs);
    const inputs = this.#inputs(observed, forecastPeakQps, slo, atMs);
    const frozen = this.#parts.frozen?.() ?? null;
    const scaling = this.#askPolicy(inputs, frozen, atMs);
    const bounds = scaling?.acts
      ? boundsOf(scaling, intended(inputs).length, this.#planned !== null, slo.missed !== null)
      : config;
    const decided = await this.#decide(inputs, observed, slo, scaling, bounds, frozen, atMs);
    const { wrongClocks } = observed;
    const decision = wrongClocks === null ? decided : { ...decided, reason: `${decided.reason} (${wrongClocks})` };
    if (scaling !== null) await this.#records.recordPreview(scaling, atMs);
    await this.#recordSpending(atMs);
    this.#latest = { atMs, decision };
    onDecision(decision);
    const { peakQps } = decision.figures;
    if (peakQps !== null) this.#time.addPeak({ atMs, peakQps });
    const outcome =
      decision.kind === "hold"
        ? nothingDone
        : await actOnDecision(decision, this.#observe().candidates, bounds.maxReplicas === 0, this.#acts);
    const forecastModel = this.#forecast.latest()?.model ?? null;
    const { agentForecastPeakQps } = observed;
    const shown = shownInputs(decision, inputs, { forecastModel, agentForecastPeakQps }, scaling, config);
    const id = await this.#records.record(decision, shown, outcome, atMs);
    if (id !== null) this.#outcomes.follow(id, outcome, atMs);
    this.#sloGuard.note(decision, outcome, slo, atMs);
    await this.#sloGuard.keep();
    if ((decision.plan !== undefined || slo.missed !== null) && config.enabled) await renewModes(this.#upkeep);
    if (!isUrgent) await remindLaggards(this.#upkeep);
    if (frozen === null && config.enabled) await machines?.reconcile();
  }

  #observe(): ObservedFleet {
    const { config, limits, prices, pricesAt, fleet, desired, machines, nowMs } = this.#parts;
    const { maxDataAgeMs, liveWindowMinutes, capacityPerReplicaQps, horizonMinutes, stabilizationMs } = config;
    return observeFleet(
      fleet.agents(),
      desired.documents,
      desired.overrides,
      {
        ...{ ...limits, maxDataAgeMs, liveWindowMinutes, capacityPerReplicaQps, horizonMinutes },
        tariffUsdPerKwh: prices.tariffUsdPerKwh,
        tariffOf: pricesAt && ((agentId, timeMs) => pricesAt(agentId, timeMs).tariffUsdPerKwh),
        lostForMs: stabilizationMs,
      },
      nowMs(),
      this.#watch,
      machines,
    );
  }

  #inputs(observed: ObservedFleet, forecastPeakQps: number | null, slo: ObservedSlo, atMs: number): ScalingInputs {
    const { config } = this.#parts;
    const { liveQps, missingData, candidates } = observed;
    return {
      ...{ liveQps, forecastPeakQps, missingData, observedSinceMs: this.#time.observedSinceMs },
      warmUpEndsMs: this.#time.warmUpEndsMs,
      recentPeaks: this.#time.recentPeaks(atMs),
      candidates: this.#planned === null ? candidates : ownDevices(config.cloud, candidates),
      ...this.#sloGuard.inputs(slo, atMs),
    };
  }

  /** Records what plans may spend, and what that does to users, when it has changed: before anything is done by it. */
  async #recordSpending(atMs: number): Promise<void> {
    const { spending, log } = this.#parts;
    if (spending === undefined) return;
    const { limits } = this.#planned ?? { limits: null };
    const row = spending.change(spending.current(), limits?.limited ?? { cut: [] }, limits?.effect ?? null, atMs);
    if (row === null) return;
    await this.#records.insert(row);
    log.info({ rule: row.rule }, row.reason);
  }

  #askPolicy(inputs: ScalingInputs, frozen: string | null, atMs: number): Explained<ScalingDecision> | null {
    return this.#parts.policy?.decide(this.#look(inputs, frozen, atMs)) ?? null;
  }

  #look(inputs: LookInputs, frozen: string | null, atMs: number): FleetLook {
    const { config, fleet } = this.#parts;
    return lookAtFleet(inputs, { fleet, maxDataAgeMs: config.maxDataAgeMs, frozen, atMs });
  }

  /** The fleet as its policy would be asked about it now. */
  lookForPolicy(): FleetLook {
    const { liveQps, missingData, candidates } = this.#observe();
    const own = this.#planned === null ? candidates : ownDevices(this.#parts.config.cloud, candidates);
    const { warmUpEndsMs } = this.#time;
    const inputs = { liveQps, missingData, warmUpEndsMs, candidates: own };
    return this.#look(inputs, this.#parts.frozen?.() ?? null, this.#parts.nowMs());
  }

  /** Decides by the plan, or by the plain rule where that goes first; explained, and held back while the fleet is frozen. */
  async #decide(
    inputs: ScalingInputs,
    observed: ObservedFleet,
    slo: ObservedSlo,
    scaling: Explained<ScalingDecision> | null,
    bounds: ReplicaBounds,
    frozen: string | null,
    atMs: number,
  ): Promise<Explained<ActiveAgentsDecision>> {
    const { minReplicas, maxReplicas } = bounds;
    const policy = { ...this.#parts.config, minReplicas, maxReplicas };
    const limitsOf = scaling?.acts ? `policy ${scaling.policy}` : null;
    const plain = decideActiveAgents(inputs, policy, atMs);
    const planned =
      frozen === null ? ((await this.#planned?.decide(inputs, plain, bounds, observed.candidates)) ?? null) : null;
    const { missed } = slo;
    const reason = explainActiveAgents(plain, { inputs, policy, nowMs: atMs, limitsOf, missed });
    const chosen = chooseDecision({ ...plain, reason }, planned, missed);
    if (frozen !== null) return holdFrozen(chosen, frozen);
    return withPolicyReason(this.#sloGuard.guard(chosen, slo, inputs, maxReplicas, atMs), scaling);
  }
}
