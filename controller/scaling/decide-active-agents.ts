import { chooseActivations, chooseStandBy, describeChoice, sumCapacityQps } from "./choose-agents.ts";
import { count, qps } from "./describe-figures.ts";
import type { ScalingConfig } from "./scaling-config.ts";
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

/**
 * Which agents serve. Rule: need = ceil(peak / (capacity of a replica × target utilisation)), the peak being the higher of forecast
 * and live rate, clamped to min..max and to what exists; a change of no more than the tolerance is not acted on; at most ×2 up at a
 * time; down only when the highest need of the stabilisation window allows it. What is chosen must also carry the peak by the boards' own
 * capacities. Why so, and what was rejected: `controller/scaling/README.md`.
 */
export function decideActiveAgents(inputs: ScalingInputs, policy: ScalingConfig, nowMs: number): ActiveAgentsDecision {
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
    return hold(
      "warming-up",
      `listening to the fleet for another ${Math.ceil((inputs.warmUpEndsMs - nowMs) / 1000)} s`,
    );
  }
  if (available.length === 0) return hold("no-agents", "no agent is available");

  const source = forecastPeakQps !== null && peakQps === forecastPeakQps ? `in ${policy.horizonMinutes} min` : "now";
  const rule = `${Math.round(policy.targetUtilization * 100)} % of ${qps(policy.capacityPerReplicaQps)}`;
  const wanted = unclampedNeed(peakQps);
  const limit = wanted > need ? `, limited to ${need}` : wanted < need ? `, at least ${need}` : "";
  const demand = `peak ${qps(peakQps ?? 0)} qps ${source} needs ${count(wanted, "agent")} at ${rule}${limit}`;
  const state = `${active.length} active`;

  // Out: what operators said, what is gone, what the peak needs.
  const kept = [...active, ...forcedOn];
  const replacing = lost.length > 0 && (kept.length < windowNeed || carries(kept) < (windowPeakQps ?? 0));
  const short = kept.length < fewestAgents;
  const grows = need > kept.length * (1 + policy.tolerance) || (peakQps ?? 0) > carries(kept) * (1 + policy.tolerance);
  if (short || replacing || grows || forcedOn.length > 0) {
    const belowMinimum = short && need === fewestAgents;
    const outRule = replacing ? "replacement" : belowMinimum ? "below-minimum" : grows ? "peak" : "override";
    const before = active.length + lost.length;
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
      const capped = after.length < Math.min(mostAgents, wantedCount) ? `; at most ${cap} in one step` : "";
      const replaced = replacing ? lost : [];
      const names = [
        ...chosen.map((agent) => describeChoice(agent, idle)),
        ...forcedOn.map(({ agentId }) => `${agentId} (operator's override)`),
      ].join(", ");
      const gone = replaced.map(({ agentId, unavailable }) => `${agentId} (${unavailable})`).join(", ");
      const because = [
        peakQps === null ? "no traffic figures yet" : demand,
        replaced.length > 0 ? `${state}, lost: ${gone}` : state,
        short ? `the minimum is ${fewestAgents}` : "",
      ].filter((text) => text !== "");
      const overload = everythingOn ? `; OVERLOADED: everything is on and carries ${qps(carries(after))} qps` : "";
      return {
        kind: "scale-out",
        rule: everythingOn ? "overloaded" : outRule,
        activate: activate.map(({ agentId }) => agentId),
        standBy: [...replaced.slice(0, chosen.length), ...forcedOff].map(({ agentId }) => agentId),
        reason: `${because.join("; ")} -> activate ${names}${capped}${overload}`,
        figures,
      };
    }
  }
  if (forcedOff.length > 0) {
    const names = forcedOff.map(({ agentId }) => agentId);
    const reason = `operator's override -> standby ${names.join(", ")}`;
    return { kind: "scale-in", rule: "override", activate: [], standBy: names, reason, figures };
  }
  if (peakQps === null) return hold("no-data", "no agent has reported a minute of traffic yet");
  if (peakQps > figures.carriedQps && active.length === mostAgents) {
    const most = active.length === available.length ? "everything is on" : `the maximum of ${mostAgents} is on`;
    return hold("overloaded", `${demand}; OVERLOADED: ${most} and carries ${qps(figures.carriedQps)} qps`);
  }

  // In: only with the whole picture, and only when nothing in the window needed more.
  const tooMany = active.length > policy.maxReplicas;
  const shrinks = (target: number) => tooMany || (active.length - target) / active.length > policy.tolerance;
  if (!(need < active.length)) {
    const slightly = need > active.length || peakQps > figures.carriedQps;
    const carried = `${state}, which carry ${qps(figures.carriedQps)} qps`;
    return slightly
      ? hold("within-tolerance", `${demand}; ${carried}: within the tolerance`)
      : hold("sufficient", `${demand}; ${carried}`);
  }
  if (!shrinks(need)) return hold("within-tolerance", `${demand}; ${state}: within the tolerance`);
  if (inputs.missingData.length > 0) {
    return hold("missing-data", `${demand}; ${state}, but nothing new is known of ${inputs.missingData.join(", ")}`);
  }
  if (forecastPeakQps === null) return hold("missing-data", `${demand}; ${state}, but there is no forecast`);
  if (inputs.observedSinceMs > windowStartMs) {
    const leftS = Math.ceil((inputs.observedSinceMs - windowStartMs) / 1000);
    return hold("stabilising", `${demand}; ${state}: the need must have been lower for another ${leftS} s`);
  }
  const minutes = Math.round(policy.stabilizationMs / 60_000);
  if (!shrinks(windowNeed)) {
    return hold(
      "stabilising",
      `${demand}; ${state}: ${count(windowNeed, "agent was", "agents were")} needed within ${minutes} min`,
    );
  }
  const wantedQps = (windowPeakQps ?? 0) / policy.targetUtilization;
  const leaving = chooseStandBy(
    active,
    tooMany ? { fewestCount: mostAgents, wantedQps: 0 } : { fewestCount: windowNeed, wantedQps },
  );
  if (leaving.length === 0) {
    return hold("capacity", `${demand}; ${state}: without any of them the rest carries less than the peak`);
  }
  const names = leaving.map((agent) => describeChoice(agent, active)).join(", ");
  return {
    kind: "scale-in",
    rule: "peak",
    activate: [],
    standBy: leaving.map(({ agentId }) => agentId),
    reason: `${demand}, for ${minutes} min no more than ${windowNeed}; ${state} -> standby ${names}`,
    figures,
  };
}
