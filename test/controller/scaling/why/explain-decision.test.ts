import { expect, test } from "bun:test";
import { explainPlanOf, figuresOfDecision } from "#controller/scaling/why/explain-decision.ts";

// Facts about what was asked for, limited and done are tested as `thormesh why` shows them.

test("figures have units; those that were not known are null, those that a decision has not are absent", () => {
  expect(figuresOfDecision({ inputs: { liveQps: 12.5, forecastPeakQps: null, need: 3, candidates: [] } })).toEqual([
    { name: "traffic then", value: 12.5, unit: "texts/s" },
    { name: "highest rate forecast", value: null, unit: "texts/s" },
    { name: "agents needed", value: 3, unit: "agents" },
  ]);
  expect(figuresOfDecision({ inputs: {} })).toEqual([]);
  expect(figuresOfDecision({ inputs: { liveQps: "many" } })).toMatchObject([{ value: null }]);
});

test.each([
  [undefined, []],
  [{}, []],
  [
    { costUsd: 0.0123456, gap: 0.0149, feasible: true },
    ["the plan costs 0.0123 US$, at most 1.5 % above the cheapest"],
  ],
  [{ costUsd: 2, gap: null, feasible: false }, ["the plan costs 2.00 US$; it does not carry the whole forecast"]],
  [
    { costUsd: 2, gap: 0, reasons: ["a", 5, "b"] },
    ["the plan costs 2.00 US$, at most 0.0 % above the cheapest", "a", "b"],
  ],
])("of the plan %p it tells %p", (plan, says) => {
  expect(explainPlanOf({ inputs: plan === undefined ? {} : { plan } })).toEqual(says);
});
