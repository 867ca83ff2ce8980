import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { agentLimits, agentsToCarry } from "./agents-needed.ts";
import { availableOf, chooseActivations, chooseStandBy, sumCapacityQps } from "./choose-agents.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  HoldRule,
  ScalingFigures,
  ScalingInputs,
} from "./scaling-inputs.ts";

/** Highest of the values that are finite and not negative; null when none is. */
function highest(values: readonly (number | null)[]): number | null {
  const usable = values.filter((value) => value !== null && Number.isFinite(value) && value >= 0) as number[];
  return usable.length === 0 ? null : Math.max(...usable);
}

const idsOf = (agents: readonly AgentCandidate[]) => agents.map(({ agentId }) => agentId);

/**
 * Decides which agents serve. Rule: need = the agents that carry the peak by their own capacities at the target utilisation, the peak being
 * the highest of forecast, live rate and what users were refused, clamped to min..max and to what exists; a change within the tolerance is not
 * acted on; at most ×2 up per decision; down only when the highest need of the stabilisation window allows it. While users are not given what
 * they were promised nothing is put on standby and no tolerance counts.
 * Reasons, and what was rejected: `controller/scaling/README.md`.
 */
export function decideActiveAgents(inputs: ScalingInputs, policy: ScalingConfig, nowMs: number): ActiveAgentsDecision {
  const { candidates, forecastPeakQps, liveQps, slo } = inputs;
  const isMissed = slo !== undefined && slo.rule !== "kept";
  const wantsCapacity = isMissed && slo.rule !== "failed";
  const available = availableOf(candidates);
  const active = available.filter((agent) => agent.active);
  const lost = candidates.filter((agent) => agent.active && agent.unavailable !== null);
  const forcedOff = candidates.filter(
    ({ active, overrideRole }) => active && overrideRole !== null && overrideRole !== "active",
  );
  const forcedOn = available.filter((agent) => agent.overrideRole === "active" && !agent.active);

  const peakQps = highest([forecastPeakQps, liveQps, slo?.demandQps ?? null]);
  const windowStartMs = nowMs - policy.stabilizationMs;
  const inWindow = inputs.recentPeaks.filter(({ atMs }) => atMs >= windowStartMs && atMs <= nowMs);
  const windowPeakQps = highest([peakQps, ...inWindow.map((peak) => peak.peakQps)]);
  /** Unknown peaks count as 0. */
  const demandQps = peakQps ?? 0;
  const windowDemandQps = windowPeakQps ?? 0;
  const { minAgents, maxAgents } = agentLimits(policy, available.length);
  const needOf = (peak: number | null) =>
    Math.max(minAgents, Math.min(maxAgents, agentsToCarry(peak, available, policy)));
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
  const hold = (rule: HoldRule): ActiveAgentsDecision => ({ kind: "hold", rule, figures });

  if (nowMs < inputs.warmUpEndsMs) return hold("warming-up");
  if (available.length === 0) return hold("no-agents");

  // Out: what operators said, what is gone, what the peak needs.
  const kept = [...active, ...forcedOn];
  const replacing = lost.length > 0 && (kept.length < windowNeed || carries(kept) < windowDemandQps);
  const isShort = kept.length < minAgents;
  const tolerance = wantsCapacity ? 0 : policy.tolerance;
  const grows = need > kept.length * (1 + tolerance) || demandQps > carries(kept) * (1 + tolerance);
  const before = active.length + lost.length;
  const stepLimit = Math.max(minAgents, kept.length, Math.floor(before * policy.maxScaleUpFactor));
  const wantedCount = Math.max(grows || isShort ? need : 0, Math.min(windowNeed, before));
  const wantedQps = Math.max(grows ? demandQps : 0, replacing ? windowDemandQps : 0) / policy.targetUtilization;
  const areKept = new Set(kept);
  const idle = available.filter((agent) => !areKept.has(agent));
  const chosen = chooseActivations(kept, idle, { wantedCount, wantedQps, maxCount: Math.min(maxAgents, stepLimit) });
  const activate = idsOf([...forcedOn, ...chosen]);
  if (activate.length > 0) {
    const after = [...kept, ...chosen];
    const isOverloaded = after.length === available.length && carries(after) < demandQps;
    const isBelowMinimum = isShort && need === minAgents;
    const replaced = replacing ? lost : [];
    return {
      kind: "scale-out",
      rule: isOverloaded
        ? "overloaded"
        : replacing
          ? "replacement"
          : isBelowMinimum
            ? "below-minimum"
            : grows
              ? wantsCapacity
                ? "slo-missed"
                : "peak"
              : "override",
      activate,
      standBy: idsOf([...replaced.slice(0, chosen.length), ...forcedOff]),
      cause: {
        replaced: idsOf(replaced),
        belowMinimum: isShort,
        stepLimit: after.length < Math.min(maxAgents, wantedCount) ? stepLimit : null,
        overloadedAtQps: isOverloaded ? carries(after) : null,
      },
      figures,
    };
  }
  if (forcedOff.length > 0) {
    return { kind: "scale-in", rule: "override", activate: [], standBy: idsOf(forcedOff), figures };
  }
  if (peakQps === null) return hold("no-data");
  const isAllOn = active.length >= maxAgents;
  if (isAllOn && (peakQps > figures.carriedQps || (wantsCapacity && slo.starting.length === 0)))
    return hold("overloaded");

  const tooMany = active.length > policy.maxReplicas;
  if (isMissed && !tooMany) return hold("slo-missed");

  // In: only with the whole picture, and only when nothing in the window needed more.
  const shrinks = (target: number) => tooMany || (active.length - target) / active.length > policy.tolerance;
  if (need >= active.length) {
    return hold(need > active.length || peakQps > figures.carriedQps ? "within-tolerance" : "sufficient");
  }
  if (!shrinks(need)) return hold("within-tolerance");
  if ((inputs.heldUntilMs ?? 0) > nowMs && !tooMany) return hold("held-off");
  if (inputs.missingData.length > 0 || forecastPeakQps === null) return hold("missing-data");
  if (inputs.observedSinceMs > windowStartMs || !shrinks(windowNeed)) return hold("stabilising");
  const target = { minCount: windowNeed, wantedQps: windowDemandQps / policy.targetUtilization };
  const leaving = chooseStandBy(active, tooMany ? { minCount: maxAgents, wantedQps: 0 } : target);
  if (leaving.length === 0) return hold("capacity");
  return { kind: "scale-in", rule: "peak", activate: [], standBy: idsOf(leaving), figures };
}
