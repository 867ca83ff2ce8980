import { expect, test } from "bun:test";
import type { ActiveAgentsDecision, AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CapacityAct } from "#controller/scaling/actuators/capacity-provider.ts";
import { createDecisionActs } from "#controller/scaling/loop/act-on-decision.ts";
import { createLogger } from "#platform/log.ts";

const figures = {
  ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 2, availableCount: 4, carriedQps: 1 },
};
const candidates: AgentCandidate[] = ["a", "b", "c", "d"].map((agentId, index) => ({
  ...{ agentId, unavailable: index === 1 ? "offline" : null, active: index < 2, capacityQps: 350 },
  ...{ energyUsdPerRequest: null, wattsPerQps: null, overrideRole: null },
}));
const swap: Exclude<ActiveAgentsDecision, { kind: "hold" }> = {
  ...{ kind: "scale-out", rule: "replacement", reason: "b is gone", figures, activate: ["c", "d"], standBy: ["b"] },
};

function actsWith(failing: string[], enabled = true) {
  const asked: CapacityAct[] = [];
  const acts = createDecisionActs({
    roles: {
      async request(act) {
        asked.push(act);
        if (failing.includes(act.agentId)) throw new Error("the disk is full");
      },
    },
    budget: { cut: (_decision, outcome) => outcome },
    desired: { documents: new Map(), overrides: new Map() },
    ownsModes: false,
    enabled,
    log: createLogger("test", "silent"),
  });
  return { acts, asked: () => asked.map(({ agentId, want }) => `${agentId} ${want}`) };
}

test("who is to come is told before who is to go", async () => {
  const { acts, asked } = actsWith([]);
  expect(await acts.act(swap, candidates, false)).toEqual({ activated: ["c", "d"], stoodBy: ["b"], skipped: [] });
  expect(asked()).toEqual(["c on", "d on", "b off"]);
});

test("one that can't be told is said; the others go on, and nobody leaves for it", async () => {
  const { acts, asked } = actsWith(["c"]);
  expect(await acts.act(swap, candidates, false)).toEqual({
    ...{ activated: ["d"], stoodBy: [], skipped: [{ agentId: "c", reason: "could not be told: the disk is full" }] },
  });
  expect(asked()).toEqual(["c on", "d on"]);
});

test("switched off, nothing is asked", async () => {
  const { acts, asked } = actsWith([], false);
  const { skipped } = await acts.act(swap, candidates, false);
  expect(skipped.map(({ agentId }) => agentId)).toEqual(["c", "d", "b"]);
  expect(asked()).toEqual([]);
});
