import type { Forecaster } from "#agent/forecast/forecaster.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { DecisionStore } from "../store/store.ts";
import { decideActiveAgents } from "./decide-active-agents.ts";
import type { DecisionOutcome, NewDecision } from "./decision-record.ts";
import type { DesiredDocuments } from "./desired-documents.ts";
import type { FleetPlanner } from "./fleet-plan/fleet-planner.ts";
import { type ObservationLimits, observeFleet } from "./observe-fleet.ts";
import { noHold } from "./overrides.ts";
import { createPlannedAgents } from "./plan-policy/planned-agents.ts";
import { revalidateDecision } from "./revalidate-decision.ts";
import type { ScalingConfig } from "./scaling-config.ts";
import type { ActiveAgentsDecision, PeakAt, ScalingInputs } from "./scaling-inputs.ts";

export interface DecisionLoopParts {
  readonly config: ScalingConfig;
  readonly limits: Pick<ObservationLimits, "staleAfterMs" | "tariffUsdPerKwh">;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly store: DecisionStore;
  readonly forecaster: Forecaster;
  /** Needed for `policy: fleet-plan`. */
  readonly planner?: FleetPlanner;
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

/** The loop from what is known of the fleet to what its agents are told. Its start begins the warm-up. */
export function createDecisionLoop(parts: DecisionLoopParts): DecisionLoop {
  const { config, fleet, desired, store, forecaster, nowMs, log, planner } = parts;
  const { tariffUsdPerKwh } = parts.limits;
  const planned =
    config.policy === "fleet-plan" && planner !== undefined
      ? createPlannedAgents({ config, tariffUsdPerKwh, fleet, desired, planner, nowMs })
      : null;
  let startedMs = nowMs();
  /** Since when peaks have been recorded without a gap. */
  let observedSinceMs = startedMs;
  let recentPeaks: PeakAt[] = [];
  let latest: { atMs: number; decision: ActiveAgentsDecision } | null = null;
  let latestForecast: ForecastReport | null = null;
  /** The last stored decision, while it is a hold that may simply repeat. */
  let storedHold: { id: number; rule: string; activeCount: number } | null = null;
  let queue: Promise<void> = Promise.resolve();
  let stopped = false;

  const observe = () =>
    observeFleet(
      fleet.agents(),
      desired.documents,
      desired.overrides,
      {
        ...parts.limits,
        maxDataAgeMs: config.maxDataAgeMs,
        lostForMs: config.stabilizationMs,
        liveWindowMinutes: config.liveWindowMinutes,
        capacityPerReplicaQps: config.capacityPerReplicaQps,
        horizonMinutes: config.horizonMinutes,
      },
      nowMs(),
    );

  const forecastPeak = async (lastMinuteMs: number): Promise<number | null> => {
    const history = fleet.traffic.history(lastMinuteMs);
    if (!history.some(({ qps }) => qps !== null)) return null;
    try {
      latestForecast = await forecaster.forecast(history, nowMs());
      planned?.observe(history, latestForecast);
    } catch (error) {
      log.error({ err: describeError(error) }, "the fleet's forecast failed");
      latestForecast = null;
      return null;
    }
    const steps = Math.max(1, Math.round((config.horizonMinutes * 60_000) / latestForecast.stepMs));
    const peak = Math.max(...latestForecast.qps.slice(0, steps));
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
      await desired.publishAgain(agentId);
    }
  };

  const act = async (decision: Exclude<ActiveAgentsDecision, { kind: "hold" }>): Promise<DecisionOutcome> => {
    const outcome = revalidateDecision(decision, observe().candidates);
    if (!config.enabled) {
      const untouched = [...outcome.activated, ...outcome.stoodBy];
      const reason = "scaling is switched off in the configuration";
      return { ...nothingDone, skipped: untouched.map((agentId) => ({ agentId, reason })) };
    }
    const modes = (decision.modes ?? []).filter(({ agentId }) => {
      const skipped = outcome.skipped.some((each) => each.agentId === agentId);
      return !skipped && desired.overrides.get(agentId)?.powerMode == null;
    });
    const modeOf = (agentId: string) => {
      const mode = modes.find((each) => each.agentId === agentId)?.mode;
      return mode === undefined ? {} : holdMode(mode);
    };
    // Activations first: whoever leaves must find the others serving.
    for (const agentId of outcome.activated) {
      await desired.change(agentId, { role: "active", ...modeOf(agentId) }, decision.reason);
    }
    for (const { agentId, mode } of modes) {
      if (outcome.activated.includes(agentId) || desired.documents.get(agentId)?.powerMode === mode) continue;
      await desired.change(agentId, holdMode(mode), decision.reason);
    }
    for (const agentId of outcome.stoodBy) {
      const override = desired.overrides.get(agentId);
      const ownMode =
        planned === null || override?.powerMode != null ? {} : { powerMode: null, powerModeUntilMs: null };
      await desired.change(agentId, { role: override?.role ?? "standby", ...ownMode }, decision.reason);
    }
    return decision.modes === undefined ? outcome : { ...outcome, modes };
  };

  const holdMode = (powerMode: string) => ({
    powerMode,
    powerModeUntilMs: Math.round(nowMs() + config.plan.modeHoldMs),
  });

  /** A mode that the plan still wants is held on: without a controller it would soon be the agent's own choice again. */
  const renewModes = async () => {
    for (const { agentId, role, powerMode, powerModeUntilMs } of [...desired.documents.values()]) {
      if (role !== "active" || powerMode === null || powerModeUntilMs === null) continue;
      if (desired.overrides.get(agentId)?.powerMode != null) continue;
      if (powerModeUntilMs - nowMs() > config.plan.modeHoldMs / 2) continue;
      await desired.change(agentId, holdMode(powerMode), "the fleet plan still wants this power mode");
    }
  };

  const record = async (
    decision: ActiveAgentsDecision,
    inputs: Record<string, unknown>,
    outcome: DecisionOutcome,
    atMs: number,
  ) => {
    const activeCount = decision.figures.activeCount;
    if (decision.kind === "hold" && storedHold?.rule === decision.rule && storedHold.activeCount === activeCount) {
      return store.repeatDecision(storedHold.id, atMs);
    }
    const agents = decision.kind === "hold" ? [] : agentsOf(decision);
    const row: NewDecision = {
      atMs,
      kind: decision.kind,
      rule: decision.rule,
      reason: decision.reason,
      agents,
      inputs: { ...decision.figures, ...inputs },
      outcome,
    };
    const id = await store.insertDecision(row);
    storedHold = decision.kind === "hold" ? { id, rule: decision.rule, activeCount } : null;
    const level = decision.kind === "hold" && decision.rule !== "overloaded" ? "debug" : "info";
    log[level]({ id, kind: decision.kind, rule: decision.rule, outcome }, decision.reason);
  };

  /** A clock that jumps must neither stretch the warm-up nor pass for minutes that were watched. */
  const healClock = (now: number) => {
    fleet.healClock(now);
    startedMs = Math.min(startedMs, now);
    const sinceLastMs = latest === null ? 0 : now - latest.atMs;
    if (sinceLastMs < 0 || sinceLastMs > 3 * config.intervalMs) observedSinceMs = now;
  };

  const round = async () => {
    healClock(nowMs());
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
      candidates: observed.candidates,
    };
    const plain = decideActiveAgents(inputs, config, atMs);
    const decision = planned === null ? plain : await planned.decide(inputs, plain);
    latest = { atMs, decision };
    parts.onDecision(decision);
    const { peakQps } = decision.figures;
    if (peakQps !== null) recentPeaks.push({ atMs, peakQps });
    const outcome = decision.kind === "hold" ? nothingDone : await act(decision);
    const { candidates, liveQps, missingData } = inputs;
    const touched = new Set(decision.kind === "hold" ? [] : agentsOf(decision));
    const shown = {
      liveQps,
      forecastPeakQps,
      forecastModel: latestForecast?.model ?? null,
      agentForecastPeakQps: observed.agentForecastPeakQps,
      missingData,
      // Those it is about first: of a large fleet not every agent goes into every decision.
      candidates: candidates
        .toSorted((a, b) => Number(touched.has(b.agentId)) - Number(touched.has(a.agentId)))
        .slice(0, decision.kind === "hold" ? mostCandidatesKept.hold : mostCandidatesKept.change),
    };
    const plan = decision.plan === undefined ? {} : { plan: decision.plan };
    await record(decision, { ...shown, ...plan }, outcome, atMs);
    if (decision.plan !== undefined && config.enabled) await renewModes();
    await remindLaggards();
  };

  return {
    run() {
      const result = queue.then(() => (stopped ? undefined : round()));
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
