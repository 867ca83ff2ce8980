import { describe, expect, test } from "bun:test";
import type { ActiveAgentsDecision, Explained } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { burnRate } from "#controller/scaling/slo/burn-rate.ts";
import type { AgentService, SloResponse } from "#controller/scaling/slo/decide-slo-response.ts";
import { heldModes, withHeldModes } from "#controller/scaling/slo/hold-modes.ts";
import type { Override } from "#controller/store/store.ts";
import type { Desired } from "#protocol/messages.ts";
import { aBirth, aDesired, anAgent } from "../../../fakes/builders.ts";

const nowMs = 1000;
const service = (given: Partial<AgentService> = {}): AgentService => ({
  ...{ agentId: "thor-1", windowS: 10, requestsPerS: 60, refusedPerS: 43, failedPerS: 0, demandQps: 60, servedQps: 17 },
  workQps: 60,
  misses: [],
  ...given,
});
const response = (rule: SloResponse["rule"]): SloResponse => ({
  ...{ rule, demandQps: 60, starting: [], agents: [service()], computing: ["thor-1"], unused: [] },
});
const differs = [{ field: "powerMode", desired: "MAXN", reported: "70W", reason: "too hot" }] as const;

describe("agents that fail their users hold their most capable mode", () => {
  const look = (
    rule: SloResponse["rule"],
    document: Partial<Desired> | null,
    agent: Parameters<typeof anAgent>[0] = {},
    override: Partial<Override> | null = null,
  ) =>
    heldModes(
      response(rule),
      {
        fleet: { get: () => anAgent(agent) },
        desired: {
          documents: new Map(document === null ? [] : [["thor-1", aDesired(document)]]),
          overrides: new Map(override === null ? [] : [["thor-1", override as Override]]),
        },
      },
      nowMs,
    ).map(({ agentId, mode }) => `${agentId} ${mode}`);
  const held = ["thor-1 MAXN"];
  const oneMode = { birth: { board: { ...aBirth().board, powerModes: aBirth().board.powerModes.slice(0, 1) } } };

  test.each<[string, string[], string[]]>([
    ["refusing", look("refused", null), held],
    ["slow", look("slow", null), held],
    ["failing, which no mode helps", look("failed", null), []],
    ["fine", look("kept", null), []],
    ["told another mode", look("refused", { powerMode: "70W" }), held],
    ["told it already", look("refused", { powerMode: "MAXN", powerModeUntilMs: nowMs + 1 }), []],
    ["told it without an end", look("refused", { powerMode: "MAXN" }), []],
    ["told it until now", look("refused", { powerMode: "MAXN", powerModeUntilMs: nowMs }), held],
    ["in an operator's mode", look("refused", null, {}, { powerMode: "70W" }), []],
    ["in an operator's role", look("refused", null, {}, { powerMode: null }), held],
    ["too hot for it", look("refused", null, { reported: { differs: [...differs] } }), []],
    ["of one mode", look("refused", null, oneMode), []],
    ["not known yet", look("refused", null, { birth: null }), []],
  ])("one that is %s", (_name, modes, expected) => {
    expect(modes).toEqual(expected);
  });
});

describe("a decision with modes that are held", () => {
  const figures = {
    ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 1, availableCount: 1, carriedQps: 1 },
  };
  const hold: Explained<ActiveAgentsDecision> = { kind: "hold", rule: "overloaded", figures, reason: "why" };
  const modes = [{ agentId: "a", mode: "MAXN" }];

  test("none: it stays as it is", () => expect(withHeldModes(hold, [])).toBe(hold));

  test("a hold becomes a change of modes", () => {
    expect(withHeldModes(hold, modes)).toEqual({
      ...{ kind: "change-modes", rule: "slo-missed", activate: [], standBy: [], modes, figures },
      reason: "why; a holds MAXN meanwhile",
    });
  });

  test("a change keeps its own modes of other agents", () => {
    const planned = [
      { agentId: "a", mode: "70W" },
      { agentId: "b", mode: "90W" },
    ];
    const change: Explained<ActiveAgentsDecision> = {
      ...{ kind: "scale-out", rule: "peak", activate: ["b"], standBy: [], modes: planned, figures, reason: "why" },
    };
    expect(withHeldModes(change, modes)).toMatchObject({ kind: "scale-out", modes: [planned[1], modes[0]] });
  });
});

describe("the rate at which the error budget is used", () => {
  const slow = { rule: "slow", model: "mini", p95Ms: 3000, targetMs: 1000 } as const;
  test.each<[string, AgentService[], number]>([
    ["no agents", [], 0],
    ["no requests", [service({ requestsPerS: 0, refusedPerS: 0 })], 0],
    ["all answered", [service({ refusedPerS: 0 })], 0],
    ["a tenth of them refused or failed, one of ten may be", [service({ refusedPerS: 4, failedPerS: 2 })], 1],
    ["over all agents", [service({ refusedPerS: 12 }), service({ refusedPerS: 0 })], 1],
    ["three times as slow as promised", [service({ refusedPerS: 0, misses: [slow] })], 3],
    ["the worse of both", [service({ refusedPerS: 24, misses: [slow] })], 4],
  ])("%s", (_name, services, rate) => {
    expect(burnRate(services, { availability: 0.9 })).toBeCloseTo(rate, 9);
  });
});
