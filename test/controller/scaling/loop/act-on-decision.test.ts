import { describe, expect, test } from "bun:test";
import type { AgentCandidate, Explained, FleetChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CapacityAct } from "#controller/scaling/actuators/capacity-provider.ts";
import { actOnDecision, type DecisionActsParts } from "#controller/scaling/loop/act-on-decision.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import { createLogger } from "#platform/log.ts";
import { aDesired } from "../../../fakes/builders.ts";

const figures = {
  ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 2, availableCount: 4, carriedQps: 1 },
};
const candidates: AgentCandidate[] = ["a", "b", "c", "d"].map((agentId, index) => ({
  ...{ agentId, unavailable: index === 1 ? "offline" : null, active: index < 2, capacityQps: 350 },
  ...{ energyUsdPerRequest: null, wattsPerQps: null, overrideRole: null },
}));
const swap: Explained<FleetChange> = {
  ...{ kind: "scale-out", rule: "replacement", reason: "b is gone", figures, activate: ["c", "d"], standBy: ["b"] },
};

function actsWith(failing: string[], given: Partial<DecisionActsParts> = {}) {
  const asked: CapacityAct[] = [];
  const parts: DecisionActsParts = {
    roles: {
      async request(act) {
        asked.push(act);
        if (failing.includes(act.agentId)) throw new Error("the disk is full");
      },
    },
    budget: { cut: (_decision, outcome) => outcome },
    desired: { documents: new Map(), overrides: new Map() },
    ownsModes: false,
    enabled: true,
    nowMs: () => 1000,
    log: createLogger("test", "silent"),
    ...given,
  };
  return {
    act: (decision: Explained<FleetChange>) => actOnDecision(decision, candidates, false, parts),
    asked: () => asked.map(({ agentId, want }) => `${agentId} ${want}`),
    acts: asked,
  };
}

test("who is to come is told before who is to go", async () => {
  const { act, asked } = actsWith([]);
  expect(await act(swap)).toEqual({ activated: ["c", "d"], stoodBy: ["b"], skipped: [] });
  expect(asked()).toEqual(["c on", "d on", "b off"]);
});

test("what was skipped before comes first, and stand-bys keep their order", async () => {
  const skipped = [{ agentId: "z", reason: "the budget" }];
  const cut = (_decision: unknown, outcome: DecisionOutcome) => ({ ...outcome, stoodBy: ["b", "a"], skipped });
  const { act } = actsWith(["a"], { budget: { cut } });
  expect(await act(swap)).toEqual({
    ...{ activated: ["c", "d"], stoodBy: ["b"] },
    skipped: [...skipped, { agentId: "a", reason: "could not be told: the disk is full" }],
  });
  expect((await actsWith([], { budget: { cut } }).act(swap)).stoodBy).toEqual(["b", "a"]);
});

test("one that can't be told is said; the others go on, and nobody leaves for it", async () => {
  const { act, asked } = actsWith(["c"]);
  expect(await act(swap)).toEqual({
    ...{ activated: ["d"], stoodBy: [], skipped: [{ agentId: "c", reason: "could not be told: the disk is full" }] },
  });
  expect(asked()).toEqual(["c on", "d on"]);
});

test("switched off, nothing is asked", async () => {
  const { act, asked } = actsWith([], { enabled: false });
  const { skipped } = await act(swap);
  expect(skipped.map(({ agentId }) => agentId)).toEqual(["c", "d", "b"]);
  expect(asked()).toEqual([]);
});

describe("power modes", () => {
  const modes = [
    { agentId: "a", mode: "70W" },
    { agentId: "c", mode: "MAXN" },
  ];
  const growth: Explained<FleetChange> = {
    ...{ kind: "scale-out", rule: "plan", reason: "more comes", figures, activate: ["c"], standBy: [], modes },
  };

  test("go with a start, and to agents that serve already; each once", async () => {
    const { act, acts } = actsWith([], { budget: { cut: (_decision, outcome) => ({ ...outcome, modes }) } });
    expect(await act(growth)).toMatchObject({ activated: ["c"], modes });
    expect(acts).toEqual([
      { id: "c-0-on", agentId: "c", want: "on", mode: "MAXN", reason: "more comes" },
      { id: "a-0-on", agentId: "a", want: "on", mode: "70W", reason: "more comes" },
    ]);
  });

  test("that a document has already are not asked for again", async () => {
    const desired = { documents: new Map([["a", aDesired({ powerMode: "70W", version: 7 })]]), overrides: new Map() };
    const { act, acts } = actsWith([], { desired, budget: { cut: (_decision, outcome) => ({ ...outcome, modes }) } });
    expect((await act(growth)).modes).toEqual(modes);
    expect(acts.map(({ agentId }) => agentId)).toEqual(["c"]);
    desired.documents.set("a", aDesired({ powerMode: "70W", powerModeUntilMs: 1001 }));
    await act(growth);
    expect(acts.map(({ agentId }) => agentId)).toEqual(["c", "c"]);
  });

  test("that a document had until now are asked for again", async () => {
    const document = aDesired({ powerMode: "70W", powerModeUntilMs: 1000 });
    const desired = { documents: new Map([["a", document]]), overrides: new Map() };
    const { act, acts } = actsWith([], { desired, budget: { cut: (_decision, outcome) => ({ ...outcome, modes }) } });
    await act(growth);
    expect(acts.map(({ agentId }) => agentId)).toEqual(["c", "a"]);
  });

  test("are left alone where an operator holds one, or the agent was skipped", async () => {
    const override = {
      ...{ agentId: "a", role: null, powerMode: "MAXN", powerModeCap: null },
      createdAtMs: 0,
      expiresAtMs: 9,
    };
    const desired = { documents: new Map(), overrides: new Map([["a", override]]) };
    const cut = (_decision: unknown, outcome: DecisionOutcome): DecisionOutcome => ({
      ...{ ...outcome, activated: [], modes, skipped: [{ agentId: "c", reason: "the budget" }] },
    });
    const { act, acts } = actsWith([], { desired, budget: { cut } });
    expect((await act(growth)).modes).toEqual([]);
    expect(acts).toEqual([]);
  });

  test("are given back with the role where they are the controller's, and only there", async () => {
    const leaving: Explained<FleetChange> = {
      ...{ kind: "scale-in", rule: "peak", reason: "calm", figures, activate: [], standBy: ["a"] },
    };
    const serving = candidates.map((each) => ({ ...each, unavailable: null }));
    for (const ownsModes of [true, false]) {
      const asked: CapacityAct[] = [];
      const roles = { request: async (act: CapacityAct) => void asked.push(act) };
      await actOnDecision(leaving, serving, false, {
        ...{ roles, budget: { cut: (_decision, outcome) => outcome }, ownsModes, enabled: true },
        desired: { documents: new Map([["a", aDesired({ version: 3 })]]), overrides: new Map() },
        ...{ nowMs: () => 1000, log: createLogger("test", "silent") },
      });
      const act = { id: "a-3-off", agentId: "a", want: "off", reason: "calm" };
      expect(asked).toStrictEqual([(ownsModes ? { ...act, mode: null } : act) as CapacityAct]);
    }
  });
});
