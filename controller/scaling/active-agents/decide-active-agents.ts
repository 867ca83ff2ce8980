import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { chooseActivations, chooseStandBy, describeChoice, sumCapacityQps } from "./choose-agents.ts";
import { describeDemand } from "./describe-demand.ts";
import { count, duration, list, qps } from "./describe-figures.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  HoldRule,
  ScalingFigures,
  ScalingInputs,
} from "./scaling-inputs.ts";

/** The highest of the values that are finite and not negative; null when none is. */
function highest(values: readonly (number | null)[]): number | null {
  const usable = values.filter((value) => value !== null && Number.isFinite(value) && value >= 0) as number[];
  return usable.length === 0 ? null : Math.max(...usable);
}

/** Why none of them can serve: "a (offline), b (an operator wants it on standby)". */
function describeUnavailable(candidates: readonly AgentCandidate[]): string {
  if (candidates.length === 0) return "none has been heard of";
  return list(
    candidates.map(({ agentId, unavailable, overrideRole }) => {
      return `${agentId} (${unavailable ?? `an operator wants it ${overrideRole}`})`;
    }),
  );
}

/**
 * Which agents serve. Rule: need = ceil(peak / (capacity of a replica × target utilisation)), the peak being the higher of forecast
 * and live rate, clamped to min..max and to what exists; a change of no more than the tolerance is not acted on; at most ×2 up at a
 * time; down only when the highest need of the stabilisation window allows it. What is chosen must also carry the peak by the boards' own
 * capacities. Why so, and what was rejected: `controller/scaling/README.md`.
 * @param limitsOf who sets minimum and maximum, for the reason, e.g. "policy factory"; null: the configuration.
 */
export function decideActiveAgents(
  inputs: ScalingInputs,
  policy: ScalingConfig,
  nowMs: number,
  limitsOf: string | null = null,
): ActiveAgentsDecision {
  const { candidates, forecastPeakQps, liveQps } = inputs;
  const available = candidates.filter(
    ({ unavailable, overrideRole }) => unavailable === null && (overrideRole === null || overrideRole === "active"),
  );
  const active = available.filter((agent) => agent.active);
  const lost = candidates.filter((agent) => agent.active && agent.unavailable !== null);
  const forcedOff = candidates.filter(
    ({ active, overrideRole }) => active && overrideRole !== null && overrideRole !== "active",
  );
  const forcedOn = available.filter((agent) => agent.overrideRole === "active" && !agent.active);

  const peakQps = highest([forecastPeakQps, liveQps]);
  const windowStartMs = nowMs - policy.stabilizationMs;
  const inWindow = inputs.recentPeaks.filter(({ atMs }) => atMs >= windowStartMs && atMs <= nowMs);
  const windowPeakQps = highest([peakQps, ...inWindow.map((peak) => peak.peakQps)]);
  const mostAgents = Math.min(policy.maxReplicas, available.length);
  const fewestAgents = Math.min(policy.minReplicas, mostAgents);
  const unclampedNeed = (peak: number | null) =>
    Math.ceil((peak ?? 0) / (policy.capacityPerReplicaQps * policy.targetUtilization));
  const needOf = (peak: number | null) => Math.max(fewestAgents, Math.min(mostAgents, unclampedNeed(peak)));
  const carries = (agents: readonly AgentCandidate[]) => sumCapacityQps(agents) * policy.targetUtilization;
  const figures: ScalingFigures = {
    peakQps,
    windowPeakQps,
    need: needOf(peakQps),
    windowNeed: needOf(windowPeakQps),
    activeCount: active.length,
    availableCount: available.length,
    carriedQps: carries(active),
  };
  const { need, windowNeed } = figures;
  const hold = (rule: HoldRule, reason: string): ActiveAgentsDecision => ({ kind: "hold", rule, reason, figures });

  if (nowMs < inputs.warmUpEndsMs) {
    const leftS = (inputs.warmUpEndsMs - nowMs) / 1000;
    return hold(
      "warming-up",
      `the controller has just started and only listens to the fleet for another ${duration(leftS)}`,
    );
  }
  if (available.length === 0) {
    return hold("no-agents", `no agent can serve: ${describeUnavailable(candidates)}`);
  }

  const wanted = unclampedNeed(peakQps);
  const demand = describeDemand({ liveQps, forecastPeakQps, wanted, need, policy, limitsOf, mostAgents });
  const serve = (agents: number) => count(agents, "serves", "serve");
  const state = serve(active.length);
  const minutes = duration(policy.stabilizationMs / 1000);

  // Out: what operators said, what is gone, what the peak needs.
  const kept = [...active, ...forcedOn];
  const replacing = lost.length > 0 && (kept.length < windowNeed || carries(kept) < (windowPeakQps ?? 0));
  const short = kept.length < fewestAgents;
  const grows = need > kept.length * (1 + policy.tolerance) || (peakQps ?? 0) > carries(kept) * (1 + policy.tolerance);
  if (short || replacing || grows || forcedOn.length > 0) {
    const belowMinimum = short && need === fewestAgents;
    const outRule = replacing ? "replacement" : belowMinimum ? "below-minimum" : grows ? "peak" : "override";
    const before = active.length + lost.length;
    const toServe = `at least ${count(fewestAgents, "is", "are")} to serve`;
    const atLeast = limitsOf === null ? toServe : `${limitsOf} wants ${fewestAgents}`;
    const cap = Math.max(fewestAgents, kept.length, Math.floor(before * policy.maxScaleUpFactor));
    const wantedCount = Math.max(grows || short ? need : 0, replacing ? Math.min(windowNeed, before) : 0);
    const wantedQps =
      Math.max(grows ? (peakQps ?? 0) : 0, replacing ? (windowPeakQps ?? 0) : 0) / policy.targetUtilization;
    const idle = available.filter((agent) => !kept.includes(agent));
    const chosen = chooseActivations(kept, idle, { wantedCount, wantedQps, mostCount: Math.min(mostAgents, cap) });
    const activate = [...forcedOn, ...chosen];
    if (activate.length > 0) {
      const after = [...kept, ...chosen];
      const everythingOn = after.length === available.length && carries(after) < (peakQps ?? 0);
      const capped =
        after.length < Math.min(mostAgents, wantedCount) ? `; no more than ${cap} may serve after one step` : "";
      const replaced = replacing ? lost : [];
      const names = list([
        ...chosen.map((agent) => describeChoice(agent, idle)),
        ...forcedOn.map(({ agentId }) => `${agentId} (an operator wants it)`),
      ]);
      const gone = list(replaced.map(({ agentId, unavailable }) => `${agentId} (${unavailable})`));
      const because = [
        peakQps === null ? "no traffic has been reported yet" : demand,
        replaced.length > 0 ? `${state}, and ${gone} can no longer be counted on` : state,
        short && (peakQps === null || wanted >= need) ? atLeast : "",
      ].filter((text) => text !== "");
      const overload = everythingOn
        ? `; OVERLOADED: then everything is on and carries ${qps(carries(after))} texts/s at that load`
        : "";
      return {
        kind: "scale-out",
        rule: everythingOn ? "overloaded" : outRule,
        activate: activate.map(({ agentId }) => agentId),
        standBy: [...replaced.slice(0, chosen.length), ...forcedOff].map(({ agentId }) => agentId),
        reason: `${because.join("; ")} -> switch on ${names}${capped}${overload}`,
        figures,
      };
    }
  }
  if (forcedOff.length > 0) {
    const names = forcedOff.map(({ agentId }) => agentId);
    const reason = `an operator wants it so -> ${list(names)} to standby`;
    return { kind: "scale-in", rule: "override", activate: [], standBy: names, reason, figures };
  }
  if (peakQps === null) return hold("no-data", "no agent has reported a minute of traffic yet, so nothing is changed");
  const carried = `${state} and ${active.length === 1 ? "carries" : "carry"} ${qps(figures.carriedQps)}`;
  if (peakQps > figures.carriedQps && active.length === mostAgents) {
    const most = active.length === available.length ? "everything is on" : `the maximum of ${mostAgents} is on`;
    return hold(
      "overloaded",
      `${demand}; OVERLOADED: ${most} and carries ${qps(figures.carriedQps)} texts/s at that load`,
    );
  }

  // In: only with the whole picture, and only when nothing in the window needed more.
  const tooMany = active.length > policy.maxReplicas;
  const shrinks = (target: number) => tooMany || (active.length - target) / active.length > policy.tolerance;
  const tolerated = `a change of no more than ${Math.round(policy.tolerance * 100)} % is not worth it`;
  if (!(need < active.length)) {
    const slightly = need > active.length || peakQps > figures.carriedQps;
    return slightly
      ? hold("within-tolerance", `${demand}; ${carried}: ${tolerated}`)
      : hold("sufficient", `${demand}; ${carried}: enough`);
  }
  if (!shrinks(need)) return hold("within-tolerance", `${demand}; ${state}: ${tolerated}`);
  const fewer = `${demand}; ${state}, and fewer would do`;
  if (inputs.missingData.length > 0) {
    const silent = `nothing new is known of ${list(inputs.missingData)}, which is not taken for less traffic`;
    return hold("missing-data", `${fewer}, but ${silent}`);
  }
  if (forecastPeakQps === null) {
    return hold("missing-data", `${fewer}, but there is no forecast, and without one nobody is put on standby`);
  }
  if (inputs.observedSinceMs > windowStartMs) {
    const leftS = (inputs.observedSinceMs - windowStartMs) / 1000;
    return hold("stabilising", `${fewer}, but that has to be so for another ${duration(leftS)}`);
  }
  if (!shrinks(windowNeed)) {
    const lately = `${count(windowNeed, "was", "were")} needed at a time in the last ${minutes}`;
    return hold("stabilising", `${fewer}, but ${lately}; agents leave once that is past`);
  }
  const wantedQps = (windowPeakQps ?? 0) / policy.targetUtilization;
  const leaving = chooseStandBy(
    active,
    tooMany ? { fewestCount: mostAgents, wantedQps: 0 } : { fewestCount: windowNeed, wantedQps },
  );
  if (leaving.length === 0) {
    const rest = `without any one of them the rest would carry less than the last ${minutes} needed`;
    return hold("capacity", `${fewer} by their number, but ${rest}`);
  }
  const names = list(leaving.map((agent) => describeChoice(agent, active)));
  const lately = tooMany
    ? `${limitsOf === null ? "" : `${limitsOf} says that `}no more than ${policy.maxReplicas} may`
    : `no more than ${windowNeed} ${windowNeed === 1 ? "was" : "were"} needed in the last ${minutes}`;
  return {
    kind: "scale-in",
    rule: "peak",
    activate: [],
    standBy: leaving.map(({ agentId }) => agentId),
    reason: `${demand}; ${state}, but ${lately} -> ${names} to standby`,
    figures,
  };
}
