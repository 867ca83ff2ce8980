import type { Prices } from "#controller/cost/price-minute.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import { createActWatch } from "#controller/scaling/active-agents/act-watch.ts";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { type ObservationLimits, observeFleet } from "#controller/scaling/active-agents/observe-fleet.ts";
import type { ActiveAgentsDecision, PeakAt, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { createDocumentCapacity } from "#controller/scaling/actuators/document-capacity.ts";
import type { Machines } from "#controller/scaling/actuators/machines.ts";
import { ownDevices } from "#controller/scaling/apply-plan/observe-cloud.ts";
import { createPlannedAgents } from "#controller/scaling/apply-plan/planned-agents.ts";
import type { FleetPlanner } from "#controller/scaling/fleet-plan/worker/fleet-planner.ts";
import { boundsOf } from "#controller/scaling/policy/bounds-of-decision.ts";
import type { LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import type { DecisionOutcome, NewDecision } from "#controller/store/decision-record.ts";
import type { DecisionStore } from "#controller/store/store.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { createDecisionActs } from "./act-on-decision.ts";
import { createActOutcomes } from "./act-outcomes.ts";
import { createChangeBudget } from "./change-budget.ts";
import { listProposals } from "./list-proposals.ts";
import { noHold } from "./overrides.ts";
import type { ScalingConfig } from "./scaling-config.ts";

export interface DecisionLoopParts {
  readonly config: ScalingConfig;
  readonly limits: Pick<ObservationLimits, "staleAfterMs">;
  readonly prices: Prices;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly store: DecisionStore;
  readonly forecaster: Forecaster;
  /** Needed for `policy: fleet-plan`. */
  readonly planner?: FleetPlanner;
  /** A ScalingPolicy that says how many; absent: the configuration's own limits. */
  readonly policy?: Pick<LivePolicy, "observe" | "decide">;
  /** Agents whose machines are switched on and off; absent: none are. */
  readonly machines?: Machines;
  /** Why an operator wants nothing to change now; null when it may. */
  readonly frozen?: () => string | null;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly onDecision: (decision: ActiveAgentsDecision) => void;
}

export interface DecisionLoop {
  /** One round: observe, forecast, decide, observe again and revalidate, act, record. Rounds never overlap; calls queue up. */
  run(): Promise<void>;
  /** Waits for the round under way; later calls of {@link run} do nothing. */
  stop(): Promise<void>;
  /** The latest, hold or not; null before the first. */
  latest(): { readonly atMs: number; readonly decision: ActiveAgentsDecision } | null;
  latestForecast(): ForecastReport | null;
}

const mostCandidatesKept = { hold: 10, change: 100 } as const;
const nothingDone: DecisionOutcome = { activated: [], stoodBy: [], skipped: [] };

/** Whom a decision is about, each once. */
function agentsOf({ activate, standBy, modes = [] }: Exclude<ActiveAgentsDecision, { kind: "hold" }>): string[] {
  return [...new Set([...activate, ...standBy, ...modes.map(({ agentId }) => agentId)])];
}

/** Nothing changes while the fleet is frozen, whatever would have been decided; that is said. */
function freeze(decision: ActiveAgentsDecision, why: string): ActiveAgentsDecision {
  const { figures, reason } = decision;
  const wanted = decision.kind === "hold" ? "" : `; would otherwise: ${reason}`;
  return { kind: "hold", rule: "frozen", figures, reason: `frozen by an operator: ${why}${wanted}` };
}

/** The reason with the policy's part before it: that says how many, the rest which ones. */
function explain(decision: ActiveAgentsDecision, scaling: ScalingDecision | null): ActiveAgentsDecision {
  if (scaling === null || !scaling.acts || decision.rule === "frozen") return decision;
  return { ...decision, reason: `policy ${scaling.policy}: ${scaling.reason}. So: ${decision.reason}` };
}

/** The loop from what is known of the fleet to what its agents are told. Its start begins the warm-up. */
export function createDecisionLoop(parts: DecisionLoopParts): DecisionLoop {
  const { config, fleet, desired, store, forecaster, nowMs, log, planner } = parts;
  const { prices } = parts;
  const planned =
    config.policy === "fleet-plan" && planner !== undefined
      ? createPlannedAgents({ config, prices, fleet, desired, planner, nowMs })
      : null;
  let startedMs = nowMs();
  /** Since when peaks have been recorded without a gap. */
  let observedSinceMs = startedMs;
  let recentPeaks: PeakAt[] = [];
  let latest: { atMs: number; decision: ActiveAgentsDecision } | null = null;
  let latestForecast: ForecastReport | null = null;
  /** The last stored decision, while it is a hold that may simply repeat. */
  let storedHold: { id: number; rule: string; activeCount: number; cloud: string } | null = null;
  /** What a policy in preview would do, as last recorded. */
  let previewed: string | null = null;
  let queue: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | null = null;
  let stopped = false;

  const watch = createActWatch(config);
  const budget = createChangeBudget(config, desired, nowMs);
  const { confirmWithinMs } = config;
  const { staleAfterMs } = parts.limits;
  const roles = createDocumentCapacity({ fleet, desired, modeHoldMs: config.plan.modeHoldMs, nowMs });
  const { enabled } = config;
  const acts = createDecisionActs({ roles, budget, desired, ownsModes: planned !== null, enabled, log });
  const outcomes = createActOutcomes({ fleet, desired, store, confirmWithinMs, staleAfterMs, nowMs });
  let recovered = false;

  const observe = () =>
    observeFleet(
      fleet.agents(),
      desired.documents,
      desired.overrides,
      {
        ...parts.limits,
        tariffUsdPerKwh: prices.tariffUsdPerKwh,
        maxDataAgeMs: config.maxDataAgeMs,
        lostForMs: config.stabilizationMs,
        liveWindowMinutes: config.liveWindowMinutes,
        capacityPerReplicaQps: config.capacityPerReplicaQps,
        horizonMinutes: config.horizonMinutes,
      },
      nowMs(),
      watch,
      parts.machines,
    );

  const forecastPeak = async (lastMinuteMs: number): Promise<number | null> => {
    const history = fleet.traffic.history(lastMinuteMs);
    if (!history.some(({ qps }) => qps !== null)) return null;
    try {
      latestForecast = await forecaster.forecast(history, nowMs());
      planned?.observe(history, latestForecast);
      parts.policy?.observe(history, latestForecast);
    } catch (error) {
      log.error({ err: describeError(error) }, "the fleet's forecast failed");
      latestForecast = null;
      return null;
    }
    const steps = Math.max(1, Math.round((config.horizonMinutes * 60_000) / latestForecast.stepMs));
    const peak = medianPeakQps(latestForecast, steps);
    return Number.isFinite(peak) ? peak : null;
  };

  const endOverrides = async () => {
    for (const override of [...desired.overrides.values()]) {
      if (override.expiresAtMs > nowMs()) continue;
      const { agentId } = override;
      const reason = `the operator's override of ${agentId} has expired`;
      await desired.removeOverride(agentId);
      await desired.change(agentId, { ...noHold }, reason);
      await store.insertDecision({
        atMs: nowMs(),
        kind: "override-ended",
        rule: "override-expired",
        reason,
        agents: [agentId],
        inputs: { ...override },
        outcome: nothingDone,
      });
      storedHold = null;
      log.info({ agentId }, reason);
    }
  };

  /** Agents that have not taken in their document get it again; the first time may have been lost with the broker. */
  const remindLaggards = async () => {
    const now = nowMs();
    for (const { agentId, reported, presence } of fleet.agents()) {
      const document = desired.documents.get(agentId);
      if (document === undefined || presence?.status !== "online") continue;
      if (now - document.issuedAtMs < config.intervalMs || reported?.desiredVersion === document.version) continue;
      // It holds a later one that is not ours: said again, ours would be the older. The next version takes its place.
      if ((reported?.desiredVersion ?? 0) > document.version) await desired.change(agentId, {}, document.reason);
      else await desired.publishAgain(agentId);
    }
  };

  /** A mode that the plan still wants is held on: without a controller it would soon be the agent's own choice again. */
  const renewModes = async () => {
    for (const { agentId, role, powerMode, powerModeUntilMs } of [...desired.documents.values()]) {
      if (role !== "active" || powerMode === null || powerModeUntilMs === null) continue;
      if (desired.overrides.get(agentId)?.powerMode != null) continue;
      if (powerModeUntilMs - nowMs() > config.plan.modeHoldMs / 2) continue;
      const reason = "the fleet plan still wants this power mode";
      await roles.request({ id: `${agentId}-hold-${powerModeUntilMs}`, agentId, want: "on", mode: powerMode, reason });
    }
  };

  const record = async (
    decision: ActiveAgentsDecision,
    inputs: Record<string, unknown>,
    outcome: DecisionOutcome,
    atMs: number,
  ) => {
    const { rule } = decision;
    const { activeCount } = decision.figures;
    const cloud = (decision.cloud ?? []).map(({ id, units }) => `${id} ${units}`).join();
    const same = storedHold?.rule === rule && storedHold.activeCount === activeCount && storedHold.cloud === cloud;
    if (decision.kind === "hold" && storedHold !== null && same) return store.repeatDecision(storedHold.id, atMs);
    const agents = decision.kind === "hold" ? [] : agentsOf(decision);
    const row: NewDecision = {
      atMs,
      kind: decision.kind,
      rule,
      reason: decision.reason,
      agents,
      inputs: { ...decision.figures, ...inputs },
      outcome,
    };
    const id = await store.insertDecision(row);
    storedHold = decision.kind === "hold" ? { id, rule, activeCount, cloud } : null;
    outcomes.follow(id, outcome, atMs);
    const level = decision.kind === "hold" && decision.rule !== "overloaded" ? "debug" : "info";
    log[level]({ id, kind: decision.kind, rule: decision.rule, outcome }, decision.reason);
  };

  const intended = ({ candidates }: Pick<ScalingInputs, "candidates">) => candidates.filter(({ active }) => active);

  const askPolicy = (inputs: ScalingInputs, frozen: string | null, atMs: number): ScalingDecision | null => {
    if (parts.policy === undefined) return null;
    const { liveQps, missingData, warmUpEndsMs } = inputs;
    const serving = intended(inputs).filter(({ unavailable }) => unavailable === null);
    return parts.policy.decide({
      nowMs: atMs,
      currentReplicas: intended(inputs).length,
      readyReplicas: serving.length,
      liveQps,
      missingData: [...missingData],
      warmUpLeftS: Math.max(0, (warmUpEndsMs - atMs) / 1000),
      frozen,
      serving: serving.map(({ agentId }) => {
        const minute = fleet.get(agentId)?.recent.at(-1);
        const isFresh = minute !== undefined && minute.traffic.minuteStartMs >= atMs - config.maxDataAgeMs;
        return { agentId, minute: isFresh ? minute : null };
      }),
    });
  };

  /** What a policy would do is on record once for each thing that it would do. */
  const recordPreview = async (scaling: ScalingDecision, atMs: number) => {
    const { kind, policy, replicas, acts, reason } = scaling;
    const would = acts || kind === "hold" ? null : `${policy} ${kind} ${replicas}`;
    if (would === previewed) return;
    previewed = would;
    if (would === null) return;
    const row = { atMs, kind: "preview", rule: kind, reason, agents: [], inputs: { scaling } } as const;
    await store.insertDecision({ ...row, outcome: nothingDone });
    storedHold = null;
    log.info({ policy, kind, replicas }, `would do, but is in preview: ${reason}`);
  };

  /**
   * A clock that jumps must neither stretch the warm-up nor pass for minutes that were watched. After a jump, or a time in which this process
   * stood still, who is there has to be heard of again: what comes first must not count the rest as gone.
   */
  const healClock = (now: number) => {
    fleet.healClock(now);
    startedMs = Math.min(startedMs, now);
    const sinceLastMs = latest === null ? 0 : now - latest.atMs;
    const wentBack = sinceLastMs < 0;
    if (wentBack || sinceLastMs > 3 * config.intervalMs) observedSinceMs = now;
    if (wentBack || sinceLastMs > Math.max(3 * config.intervalMs, staleAfterMs)) {
      startedMs = now;
      const jumpS = Math.round(sinceLastMs / 1000);
      log.warn({ jumpS }, "the clock jumped, or this controller stood still: it listens to the fleet again first");
    }
  };

  const round = async () => {
    healClock(nowMs());
    if (!recovered) await outcomes.recover();
    recovered = true;
    await outcomes.look();
    await endOverrides();
    const before = observe();
    const forecastPeakQps = await forecastPeak(before.lastWholeMinuteMs);
    // Forecasting takes a while: decide on the fleet as it is now.
    const observed = observe();
    const atMs = nowMs();
    recentPeaks = recentPeaks.filter((peak) => peak.atMs >= atMs - config.stabilizationMs && peak.atMs <= atMs);
    const inputs: ScalingInputs = {
      warmUpEndsMs: startedMs + config.warmUpMs,
      observedSinceMs,
      liveQps: observed.liveQps,
      forecastPeakQps,
      missingData: observed.missingData,
      recentPeaks,
      candidates: planned === null ? observed.candidates : ownDevices(config.cloud, observed.candidates),
    };
    const frozen = parts.frozen?.() ?? null;
    const scaling = askPolicy(inputs, frozen, atMs);
    const bounds = scaling?.acts ? boundsOf(scaling, intended(inputs).length, planned !== null) : config;
    const { minReplicas, maxReplicas } = bounds;
    const limitsOf = scaling?.acts ? `policy ${scaling.policy}` : null;
    const plain = decideActiveAgents(inputs, { ...config, minReplicas, maxReplicas }, atMs, limitsOf);
    const free =
      planned === null || frozen !== null ? plain : await planned.decide(inputs, plain, bounds, observed.candidates);
    const decision = explain(frozen === null ? free : freeze(free, frozen), scaling);
    if (scaling !== null) await recordPreview(scaling, atMs);
    latest = { atMs, decision };
    parts.onDecision(decision);
    const { peakQps } = decision.figures;
    if (peakQps !== null) recentPeaks.push({ atMs, peakQps });
    const outcome =
      decision.kind === "hold" ? nothingDone : await acts.act(decision, observe().candidates, bounds.maxReplicas === 0);
    const { candidates, liveQps, missingData } = inputs;
    const touched = new Set(decision.kind === "hold" ? [] : agentsOf(decision));
    const shown = {
      liveQps,
      forecastPeakQps,
      forecastModel: latestForecast?.model ?? null,
      agentForecastPeakQps: observed.agentForecastPeakQps,
      missingData,
      ...listProposals(inputs, decision.figures, scaling, decision.plan, config),
      // Those it is about first: of a large fleet not every agent goes into every decision.
      candidates: candidates
        .toSorted((a, b) => Number(touched.has(b.agentId)) - Number(touched.has(a.agentId)))
        .slice(0, decision.kind === "hold" ? mostCandidatesKept.hold : mostCandidatesKept.change),
    };
    const plan = decision.plan === undefined ? {} : { plan: decision.plan };
    const cloud = decision.cloud === undefined ? {} : { cloud: decision.cloud };
    await record(decision, { ...shown, ...plan, ...cloud, ...(scaling === null ? {} : { scaling }) }, outcome, atMs);
    if (decision.plan !== undefined && config.enabled) await renewModes();
    await remindLaggards();
    if (frozen === null && config.enabled) await parts.machines?.reconcile();
  };

  return {
    run() {
      // A round that has not begun sees whatever this one would: agents that come and go faster than rounds end make no backlog.
      if (waiting !== null) return waiting;
      const result = queue.then(() => {
        waiting = null;
        return stopped ? undefined : round();
      });
      waiting = result;
      queue = result.catch(() => undefined);
      return result;
    },
    async stop() {
      stopped = true;
      await queue;
    },
    latest: () => latest,
    latestForecast: () => latestForecast,
  };
}
