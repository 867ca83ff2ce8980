import type { Prices } from "#controller/cost/price-minute.ts";
import { newestMinuteMs } from "#controller/fleet/clock-skew.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import { ActWatch } from "#controller/scaling/active-agents/act-watch.ts";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { explainActiveAgents } from "#controller/scaling/active-agents/explain-active-agents.ts";
import {
  type ObservationLimits,
  type ObservedFleet,
  observeFleet,
} from "#controller/scaling/active-agents/observe-fleet.ts";
import type {
  ActiveAgentsDecision,
  Explained,
  PeakAt,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { createDocumentCapacity } from "#controller/scaling/actuators/document-capacity.ts";
import type { Machines } from "#controller/scaling/actuators/machines.ts";
import { ownDevices } from "#controller/scaling/apply-plan/observe-cloud.ts";
import { PlannedAgents } from "#controller/scaling/apply-plan/planned-agents.ts";
import type { FleetPlanner } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import { boundsOf, type ReplicaBounds } from "#controller/scaling/policy/bounds-of-decision.ts";
import type { LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import { meanMeasuredQps } from "#controller/scaling/slo/observe-capacity.ts";
import type { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import { SloGuard } from "#controller/scaling/slo/slo-guard.ts";
import type { ObservedSlo } from "#controller/scaling/slo/slo-watch.ts";
import { nothingDone } from "#controller/store/decision-record.ts";
import type { DecisionStore, KeptStore } from "#controller/store/store.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { actOnDecision, type DecisionActsParts } from "./act-on-decision.ts";
import { ActOutcomes } from "./act-outcomes.ts";
import { createChangeBudget } from "./change-budget.ts";
import { DecisionRecords } from "./decision-records.ts";
import { type DocumentUpkeepParts, endDraining, endOverrides, remindLaggards, renewModes } from "./document-upkeep.ts";
import type { ScalingConfig } from "./scaling-config.ts";
import { shownInputs } from "./shown-inputs.ts";

export interface DecisionLoopParts {
  readonly config: ScalingConfig;
  /** What users are promised. */
  readonly slo: SloConfig;
  readonly limits: Pick<ObservationLimits, "staleAfterMs">;
  readonly prices: Prices;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly store: DecisionStore & KeptStore;
  readonly forecaster: Forecaster;
  /** Required for `policy: fleet-plan`. */
  readonly planner?: FleetPlanner;
  /** ScalingPolicy that says how many agents serve; absent: the configuration's own limits. */
  readonly policy?: Pick<LivePolicy, "observe" | "decide"> & Partial<Pick<LivePolicy, "loadedAtMs" | "takeBack">>;
  /** Agents whose machines are switched on and off; absent: none are. */
  readonly machines?: Pick<Machines, "unavailability" | "reconcile">;
  /** Returns why an operator wants nothing to change now; null when it may. */
  readonly frozen?: () => string | null;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly onDecision: (decision: ActiveAgentsDecision) => void;
}

/** A gap of this many intervals between two rounds is a jump of the clock, or a time in which the process stood still. */
const jumpIntervals = 3;

const intended = ({ candidates }: Pick<ScalingInputs, "candidates">) => candidates.filter(({ active }) => active);

/** The loop from what is known of the fleet to what its agents are told. The warm-up begins when it is created. */
export class DecisionLoop {
  readonly #parts: DecisionLoopParts;
  readonly #planned: PlannedAgents | null;
  readonly #watch: ActWatch;
  readonly #sloGuard: SloGuard;
  readonly #acts: DecisionActsParts;
  readonly #outcomes: ActOutcomes;
  readonly #records: DecisionRecords;
  readonly #upkeep: DocumentUpkeepParts;
  #startedMs: number;
  /** Time since which peaks have been recorded without a gap. */
  #observedSinceMs: number;
  #recentPeaks: PeakAt[] = [];
  #latest: { readonly atMs: number; readonly decision: Explained<ActiveAgentsDecision> } | null = null;
  #latestForecast: ForecastReport | null = null;
  #forecastOf: { readonly lastMinuteMs: number; readonly peakQps: number | null } | null = null;
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
        ? new PlannedAgents({ config, prices, fleet, desired, planner, nowMs })
        : null;
    this.#startedMs = nowMs();
    this.#observedSinceMs = this.#startedMs;
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
      return this.#isStopped ? undefined : this.#round(isUrgent);
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

  latestForecast(): ForecastReport | null {
    return this.#latestForecast;
  }

  async #round(isUrgent: boolean): Promise<void> {
    const { config, fleet, nowMs, machines, onDecision } = this.#parts;
    this.#healClock(nowMs());
    if (!this.#hasRecovered) {
      await this.#outcomes.recover();
      await this.#sloGuard.recover(nowMs());
    }
    this.#hasRecovered = true;
    await this.#outcomes.look();
    await endOverrides(this.#upkeep);
    await endDraining(this.#upkeep);
    const before = this.#observe();
    const forecastPeakQps =
      isUrgent && this.#forecastOf?.lastMinuteMs === before.lastWholeMinuteMs
        ? this.#forecastOf.peakQps
        : await this.#forecastPeak(before.lastWholeMinuteMs);
    this.#forecastOf = { lastMinuteMs: before.lastWholeMinuteMs, peakQps: forecastPeakQps };
    // Forecasting takes a while: decide on the fleet as it is now.
    const observed = this.#observe();
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
    this.#latest = { atMs, decision };
    onDecision(decision);
    const { peakQps } = decision.figures;
    if (peakQps !== null) this.#recentPeaks.push({ atMs, peakQps });
    const outcome =
      decision.kind === "hold"
        ? nothingDone
        : await actOnDecision(decision, this.#observe().candidates, bounds.maxReplicas === 0, this.#acts);
    const forecastModel = this.#latestForecast?.model ?? null;
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

  /**
   * Corrects what rests on the clock after it has jumped, or this process stood still: neither may stretch the warm-up nor count as watched
   * minutes. The fleet then has to be heard of again: the first agents to report must not make the others count as gone.
   */
  #healClock(now: number): void {
    const { config, limits, fleet, log } = this.#parts;
    fleet.healClock(now);
    this.#startedMs = Math.min(this.#startedMs, now);
    const sinceLastMs = this.#latest === null ? 0 : now - this.#latest.atMs;
    const wentBack = sinceLastMs < 0;
    const maxGapMs = jumpIntervals * config.intervalMs;
    if (wentBack || sinceLastMs > maxGapMs) this.#observedSinceMs = now;
    if (wentBack || sinceLastMs > Math.max(maxGapMs, limits.staleAfterMs)) {
      this.#startedMs = now;
      const jumpS = Math.round(sinceLastMs / 1000);
      log.warn({ jumpS }, "the clock jumped, or this controller stood still: it listens to the fleet again first");
    }
  }

  #observe(): ObservedFleet {
    const { config, limits, prices, fleet, desired, machines, nowMs } = this.#parts;
    const { maxDataAgeMs, liveWindowMinutes, capacityPerReplicaQps, horizonMinutes, stabilizationMs } = config;
    return observeFleet(
      fleet.agents(),
      desired.documents,
      desired.overrides,
      {
        ...{ ...limits, maxDataAgeMs, liveWindowMinutes, capacityPerReplicaQps, horizonMinutes },
        tariffUsdPerKwh: prices.tariffUsdPerKwh,
        lostForMs: stabilizationMs,
      },
      nowMs(),
      this.#watch,
      machines,
    );
  }

  /** Forecasts the fleet's rate; returns its highest value within the horizon, or null without a usable forecast. */
  async #forecastPeak(lastMinuteMs: number): Promise<number | null> {
    const { config, fleet, forecaster, policy, nowMs, log } = this.#parts;
    const history = fleet.traffic.history(lastMinuteMs);
    if (!history.some(({ qps }) => qps !== null)) return null;
    try {
      const forecast = await forecaster.forecast(history, nowMs());
      this.#latestForecast = forecast;
      this.#planned?.observe(history, forecast);
      policy?.observe(history, forecast);
      const steps = Math.max(1, Math.round((config.horizonMinutes * minuteMs) / forecast.stepMs));
      const peak = medianPeakQps(forecast, steps);
      return Number.isFinite(peak) ? peak : null;
    } catch (error) {
      log.error({ err: describeError(error) }, "the fleet's forecast failed");
      this.#latestForecast = null;
      return null;
    }
  }

  #inputs(observed: ObservedFleet, forecastPeakQps: number | null, slo: ObservedSlo, atMs: number): ScalingInputs {
    const { config } = this.#parts;
    const sinceMs = atMs - config.stabilizationMs;
    this.#recentPeaks = this.#recentPeaks.filter((peak) => peak.atMs >= sinceMs && peak.atMs <= atMs);
    const { liveQps, missingData, candidates } = observed;
    return {
      ...{ liveQps, forecastPeakQps, missingData, observedSinceMs: this.#observedSinceMs },
      warmUpEndsMs: this.#startedMs + config.warmUpMs,
      recentPeaks: this.#recentPeaks,
      candidates: this.#planned === null ? candidates : ownDevices(config.cloud, candidates),
      ...this.#sloGuard.inputs(slo, atMs),
    };
  }

  #askPolicy(inputs: ScalingInputs, frozen: string | null, atMs: number): Explained<ScalingDecision> | null {
    const { config, policy, fleet } = this.#parts;
    if (policy === undefined) return null;
    const { liveQps, missingData, warmUpEndsMs } = inputs;
    const serving = intended(inputs).filter(({ unavailable }) => unavailable === null);
    return policy.decide({
      nowMs: atMs,
      currentReplicas: intended(inputs).length,
      readyReplicas: serving.length,
      liveQps,
      measuredReplicaQps: meanMeasuredQps(serving),
      missingData: [...missingData],
      warmUpLeftS: Math.max(0, (warmUpEndsMs - atMs) / 1000),
      frozen,
      serving: serving.map(({ agentId }) => {
        const agent = fleet.get(agentId);
        const minute = agent?.recent.at(-1);
        const isFresh = agent !== undefined && newestMinuteMs(agent) >= atMs - config.maxDataAgeMs;
        return { agentId, minute: isFresh && minute !== undefined ? minute : null };
      }),
    });
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
    const explained = {
      ...plain,
      reason: explainActiveAgents(plain, { inputs, policy, nowMs: atMs, limitsOf, missed }),
    };
    // A plan that changes nothing is not "the cheapest way" while users are not given what they are promised.
    const isAnswer = missed === null || planned?.kind !== "hold";
    const { plan, cloud } = planned ?? {};
    const chosen =
      planned !== null && isAnswer
        ? planned
        : { ...explained, ...(plan === undefined ? {} : { plan }), ...(cloud === undefined ? {} : { cloud }) };
    const decision = frozen === null ? this.#sloGuard.guard(chosen, slo, inputs, maxReplicas, atMs) : chosen;
    if (frozen !== null) {
      const wanted = decision.kind === "hold" ? "" : `; would otherwise: ${decision.reason}`;
      const reason = `frozen by an operator: ${frozen}${wanted}`;
      return { kind: "hold", rule: "frozen", figures: decision.figures, reason };
    }
    // The policy says how many, the rest of the sentence which ones.
    return scaling?.acts
      ? { ...decision, reason: `policy ${scaling.policy}: ${scaling.reason}. So: ${decision.reason}` }
      : decision;
  }
}
