import { describe, expect, test } from "bun:test";
import type { AgentCandidate, FleetChange, ScalingFigures } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { revalidateDecision } from "#controller/scaling/loop/revalidate-decision.ts";

const figures: ScalingFigures = {
  ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 2, availableCount: 4, carriedQps: 1 },
};
/** "a+ b- c!": serves, is on standby, is meant to serve and offline; "=" and a role: what an operator wants. */
const fleetOf = (text: string): AgentCandidate[] =>
  text.split(" ").map((word) => {
    const [, agentId = "", sign, role = null] = /^(\w+)([+\-!?])(?:=(\w+))?$/.exec(word) ?? [];
    return {
      ...{ agentId, active: sign === "+" || sign === "!", unavailable: /[!?]/.test(sign ?? "") ? "offline" : null },
      ...{ capacityQps: 350, energyUsdPerRequest: null, wattsPerQps: null },
      overrideRole: role as AgentCandidate["overrideRole"],
    };
  });
const out = (activate: string[], standBy: string[] = []): FleetChange => ({
  ...{ kind: "scale-out", rule: "replacement", figures, activate, standBy },
});
const scaleIn = (...standBy: string[]): FleetChange => ({
  ...{ kind: "scale-in", rule: "peak", figures, activate: [], standBy },
});

describe("a decision, looked at again just before acting", () => {
  test.each<[string, FleetChange, string, { on?: string[]; off?: string[]; skipped?: [string, string][] }]>([
    ["nothing has changed", out(["c"], ["b"]), "a+ b! c-", { on: ["c"], off: ["b"] }],
    [
      "one that was to come has left",
      out(["c", "d"]),
      "a+ c?",
      {
        skipped: [
          ["c", "offline"],
          ["d", "is gone"],
        ],
      },
    ],
    [
      "an operator has put it on standby",
      out(["c"]),
      "a+ c-=standby",
      { skipped: [["c", "an operator wants it standby"]] },
    ],
    ["an operator wants it, too", out(["c"]), "a+ c-=active", { on: ["c"] }],
    ["the lost one is back", out(["c"], ["b"]), "a+ b+ c-", { on: ["c"], skipped: [["b", "is back"]] }],
    ["it is back, but an operator wants it off", out(["c"], ["b"]), "a+ b+=standby c-", { on: ["c"], off: ["b"] }],
    ["two serve, one may go", scaleIn("b"), "a+ b+", { off: ["b"] }],
    [
      "fewer serve than when this was decided",
      scaleIn("b"),
      "a! b+",
      { skipped: [["b", "fewer agents serve than when this was decided"]] },
    ],
    ["fewer serve, and an operator wants it off", scaleIn("b"), "a! b+=standby", { off: ["b"] }],
    ["more serve than then", scaleIn("b"), "a+ b+ c+", { off: ["b"] }],
    ["an operator wants to keep it", scaleIn("b"), "a+ b+=active", { skipped: [["b", "an operator wants it active"]] }],
    ["the last one stays", scaleIn("a", "b"), "a+ b+", { off: ["a"], skipped: [["b", "no other agent would serve"]] }],
    ["an operator may take the last one", scaleIn("a", "b"), "a+ b+=standby", { off: ["a", "b"] }],
    [
      "one that stands by is no other that serves",
      scaleIn("a", "b"),
      "a+ b+ c-",
      {
        off: ["a"],
        skipped: [["b", "no other agent would serve"]],
      },
    ],
    ["one that comes is", out(["c"], ["b"]), "b! c-", { on: ["c"], off: ["b"] }],
    [
      "one that was to come and left is not",
      out(["c"], ["b"]),
      "b! c?",
      {
        skipped: [
          ["c", "offline"],
          ["b", "no other agent would serve"],
        ],
      },
    ],
  ])("%s", (_name, decision, fleet, { on = [], off = [], skipped = [] }) => {
    expect(revalidateDecision(decision, fleetOf(fleet))).toEqual({
      activated: on,
      stoodBy: off,
      skipped: skipped.map(([agentId, reason]) => ({ agentId, reason })),
    });
  });

  test("where a policy says that there may be none, the last one goes", () => {
    expect(revalidateDecision(scaleIn("a", "b"), fleetOf("a+ b+"), true).stoodBy).toEqual(["a", "b"]);
  });
});
