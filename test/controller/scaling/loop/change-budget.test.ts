import { beforeEach, expect, test } from "bun:test";
import type { AgentCandidate, FleetChange, ScalingFigures } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { createChangeBudget } from "#controller/scaling/loop/change-budget.ts";
import type { Desired } from "#protocol/messages.ts";
import { aDesired } from "../../../fakes/builders.ts";

const figures: ScalingFigures = {
  ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 2, availableCount: 4, carriedQps: 1 },
};
const ids = ["a", "b", "c", "d"];
const candidate = (agentId: string, given: Partial<AgentCandidate> = {}): AgentCandidate => ({
  ...{ agentId, unavailable: null, active: true, capacityQps: 350, energyUsdPerRequest: null, wattsPerQps: null },
  ...{ overrideRole: null, ...given },
});
const fleet = ids.map((agentId) => candidate(agentId));
const each = { activatePerMinute: 1, standByPerMinute: 1, modesPerMinute: 1 } as const;
let nowMs: number;
let documents: Map<string, Desired>;
beforeEach(() => {
  nowMs = 1_000_000;
  documents = new Map();
});

const create = (budget: Parameters<typeof createChangeBudget>[0]["budget"] = each, enabled = true) =>
  createChangeBudget({ budget, enabled }, { documents }, () => nowMs);
type Budget = ReturnType<typeof create>;

const modesOf = (modes: Record<string, string>) => Object.entries(modes).map(([agentId, mode]) => ({ agentId, mode }));
const cut = (
  budget: Budget,
  { on = [], off = [], modes = {} }: { on?: string[]; off?: string[]; modes?: Record<string, string> },
  candidates: readonly AgentCandidate[] = fleet,
) => {
  const decision: FleetChange = {
    ...{ kind: "scale-out", rule: "plan", figures, activate: on, standBy: off, modes: modesOf(modes) },
  };
  const outcome = budget.cut(decision, { activated: on, stoodBy: off, skipped: [] }, candidates);
  return {
    on: outcome.activated,
    off: outcome.stoodBy,
    modes: (outcome.modes ?? []).map(({ agentId }) => agentId),
    skipped: outcome.skipped.map(({ agentId }) => agentId),
  };
};

test("of each kind no more than the budget in any minute, counted from when it was done", () => {
  const budget = create();
  expect(cut(budget, { off: ["a", "b"] })).toMatchObject({ off: ["a"], skipped: ["b"] });
  nowMs += 59_999;
  expect(cut(budget, { off: ["b"] })).toMatchObject({ off: [], skipped: ["b"] });
  expect(cut(budget, { on: ["c"] })).toMatchObject({ on: ["c"], skipped: [] });
  nowMs += 1;
  expect(cut(budget, { off: ["b"] })).toMatchObject({ off: ["b"], skipped: [] });
  expect(cut(budget, { on: ["d"] })).toMatchObject({ on: [], skipped: ["d"] });
});

test("a clock set back forgets what lies ahead", () => {
  const budget = create();
  cut(budget, { off: ["a"] });
  nowMs -= 3_600_000;
  expect(cut(budget, { off: ["b"] })).toMatchObject({ off: ["b"] });
});

test("what is done in the same moment counts", () => {
  const budget = create();
  cut(budget, { off: ["a"] });
  expect(cut(budget, { off: ["b"] })).toMatchObject({ off: [], skipped: ["b"] });
});

test("what was skipped before stays skipped, with its reason", () => {
  const skipped = [{ agentId: "z", reason: "is gone" }];
  const decision: FleetChange = { ...{ kind: "scale-in", rule: "peak", figures, activate: [], standBy: [] } };
  expect(create().cut(decision, { activated: [], stoodBy: [], skipped }, fleet).skipped).toEqual(skipped);
});

test("what is switched off by configuration spends nothing", () => {
  const budget = create(each, false);
  cut(budget, { off: ["a"] });
  expect(cut(budget, { off: ["b"] })).toMatchObject({ off: ["b"] });
});

test.each([
  ["an operator spoke about", { overrideRole: "standby" }],
  ["are gone", { unavailable: "offline", active: false }],
] as [string, Partial<AgentCandidate>][])("agents that %s go beside the budget and do not spend it", (_name, given) => {
  const budget = create();
  const fleet = [candidate("a", given), candidate("b", given), candidate("c"), candidate("d")];
  expect(cut(budget, { off: ["a", "b", "c", "d"] }, fleet)).toMatchObject({ off: ["a", "b", "c"], skipped: ["d"] });
  nowMs += 60_000;
  expect(cut(budget, { off: ["a", "b"] }, fleet)).toMatchObject({ off: ["a", "b"] });
  expect(cut(budget, { off: ["c"] }, fleet)).toMatchObject({ off: ["c"] });
});

test("agents that are meant to serve and can't are subtracted; those on standby are not", () => {
  const fleet = [candidate("a", { unavailable: "offline" }), ...["b", "c", "d"].map((agentId) => candidate(agentId))];
  const two = { ...each, standByPerMinute: 2 };
  expect(cut(create(two), { off: ["b", "c"] }, fleet)).toMatchObject({ off: ["b"], skipped: ["c"] });
  const calm = [candidate("a", { unavailable: "offline", active: false }), ...fleet.slice(1)];
  expect(cut(create(two), { off: ["b", "c"] }, calm)).toMatchObject({ off: ["b", "c"], skipped: [] });
});

test("a share is one of the whole fleet", () => {
  expect(cut(create({ ...each, standByPerMinute: "50%" }), { off: ids.slice(0, 3) })).toMatchObject({
    ...{ off: ["a", "b"], skipped: ["c"] },
  });
});

test("a mode that the document has already, or that comes with a start, is no switch", () => {
  documents.set("a", aDesired({ agentId: "a", powerMode: "70W" }));
  const budget = create();
  const modes = { a: "70W", b: "70W", c: "70W", d: "70W" };
  expect(cut(budget, { on: ["b"], modes })).toEqual({ on: ["b"], off: [], modes: ["a", "b", "c"], skipped: ["d"] });
  // One that has another mode by its document is a switch.
  documents.set("a", aDesired({ agentId: "a", powerMode: "MAXN" }));
  expect(cut(create(), { modes: { a: "70W", b: "70W" } })).toMatchObject({ modes: ["a"], skipped: ["b"] });
});
