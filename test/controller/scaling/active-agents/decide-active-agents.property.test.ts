import { expect, test } from "bun:test";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const nowMs = 100_000_000;
const defaults = parseConfig(ScalingConfig, {}, "test");

function situation(seed: number) {
  const random = seededRandom(seed);
  const chance = (share: number) => random() < share;
  const whole = (below: number) => Math.floor(random() * below);
  const candidates = Array.from({ length: 1 + whole(10) }, (_, index): AgentCandidate => {
    const watts = chance(0.8) ? random() : null;
    return {
      agentId: `agent-${index}`,
      unavailable: chance(0.15) ? "offline" : null,
      active: chance(0.6),
      capacityQps: chance(0.7) ? 350 : 50 + whole(1000),
      energyUsdPerRequest: watts,
      wattsPerQps: watts,
      overrideRole: chance(0.06) ? "active" : chance(0.06) ? "standby" : null,
    };
  });
  const peak = () => (chance(0.1) ? null : random() * 4000);
  const inputs: ScalingInputs = {
    warmUpEndsMs: 0,
    observedSinceMs: chance(0.8) ? 0 : nowMs - 60_000,
    liveQps: peak(),
    forecastPeakQps: peak(),
    missingData: chance(0.1) ? ["agent-0"] : [],
    recentPeaks: chance(0.3) ? [{ atMs: nowMs - 60_000, peakQps: random() * 4000 }] : [],
    candidates,
  };
  const minReplicas = 1 + whole(3);
  const config = { ...defaults, minReplicas, maxReplicas: minReplicas + whole(10) };
  return { inputs, config, random };
}

/** Agents that serve once the decision is carried out. */
function servingAfter(decision: ActiveAgentsDecision, candidates: readonly AgentCandidate[]): AgentCandidate[] {
  const activate: readonly string[] = decision.kind === "hold" ? [] : decision.activate;
  const standBy: readonly string[] = decision.kind === "hold" ? [] : decision.standBy;
  return candidates.filter(
    ({ agentId, active, unavailable }) =>
      unavailable === null && (active || activate.includes(agentId)) && !standBy.includes(agentId),
  );
}

const byOperator = ({ overrideRole }: AgentCandidate) => overrideRole !== null;

test("within minimum and maximum, never below the need on the way down, the same each time", () => {
  for (let seed = 1; seed <= 1500; seed += 1) {
    const { inputs, config } = situation(seed);
    const decision = decideActiveAgents(inputs, config, nowMs);
    expect(decideActiveAgents(structuredClone(inputs), config, nowMs)).toEqual(decision);
    if (decision.kind === "hold") continue;
    const known = new Map(inputs.candidates.map((candidate) => [candidate.agentId, candidate]));
    const after = servingAfter(decision, inputs.candidates);
    for (const agentId of decision.activate) expect(known.get(agentId)?.unavailable).toBeNull();
    const operatorsWord = inputs.candidates.some(byOperator);
    if (decision.kind === "scale-out" && !operatorsWord) expect(after.length).toBeLessThanOrEqual(config.maxReplicas);
    if (decision.kind === "scale-in" && !operatorsWord) {
      expect(inputs.missingData.length === 0 && inputs.forecastPeakQps !== null).toBe(true);
      const available = inputs.candidates.filter(({ unavailable }) => unavailable === null).length;
      expect(after.length).toBeGreaterThanOrEqual(Math.min(config.minReplicas, available));
      const carried = after.reduce((sum, { capacityQps }) => sum + capacityQps, 0) * config.targetUtilization;
      const need = Math.max(
        inputs.liveQps ?? 0,
        inputs.forecastPeakQps ?? 0,
        ...inputs.recentPeaks.map(({ peakQps }) => peakQps),
      );
      if (after.length < config.maxReplicas) expect(carried).toBeGreaterThanOrEqual(need);
    }
  }
});

test("more traffic never means fewer agents", () => {
  for (let seed = 1; seed <= 1500; seed += 1) {
    const { inputs, config, random } = situation(seed);
    const more = (inputs.forecastPeakQps ?? 0) + random() * 2000;
    const before = servingAfter(decideActiveAgents(inputs, config, nowMs), inputs.candidates).length;
    const raised = { ...inputs, forecastPeakQps: inputs.forecastPeakQps === null ? null : more };
    const after = servingAfter(decideActiveAgents(raised, config, nowMs), inputs.candidates).length;
    expect({ seed, fewer: after < before }).toEqual({ seed, fewer: false });
  }
});
