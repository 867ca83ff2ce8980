import { describe, expect, test } from "bun:test";
import {
  type ChampionDecision,
  type ChampionSituation,
  decideChampion,
  type ModelScore,
} from "#forecast/blend/decide-champion.ts";
import { explainChampion, sharesToText } from "#forecast/blend/explain-champion.ts";

const score = (name: string, absoluteError: number, forecasts = 30): ModelScore => ({
  name,
  forecasts,
  absoluteError,
  lastValueError: 100,
  actual: 1_000,
});
const all = ["lstm", "ridge", "last-value"];
const base: ChampionSituation = { scores: [], available: all, incumbent: null, starter: "lstm" };
const measured = (lstm: number, ridge: number, lastValue = 100) => [
  score("lstm", lstm),
  score("ridge", ridge),
  score("last-value", lastValue),
];
const silent = (scores: readonly ModelScore[]) => scores.map((one) => ({ ...one, lastValueError: 0, actual: 0 }));
/** Names and WAPE in percent, in the order in which a decision has them. */
const errors = (...all: (readonly [string, number | null])[]) =>
  all.map(([name, wapePercent]) => ({ name, wapePercent }));

describe("decideChampion", () => {
  test.each<{ name: string; change: Partial<ChampionSituation>; expected: Partial<ChampionDecision> }>([
    { name: "nothing known", change: {}, expected: { kind: "start", model: "lstm", forecasts: 0, errors: [] } },
    {
      name: "the starter is not known well enough",
      change: { scores: [score("lstm", 1, 29), score("ridge", 1)] },
      expected: { kind: "start", model: "lstm", forecasts: 29, errors: [] },
    },
    {
      name: "the starter wins",
      change: { scores: measured(70, 80) },
      expected: {
        kind: "switch",
        model: "lstm",
        forecasts: 30,
        errors: errors(["lstm", 7], ["ridge", 8], ["last-value", 10]),
      },
    },
    {
      name: "a better one takes over",
      change: { scores: measured(138, 74), incumbent: "lstm" },
      expected: { kind: "switch", model: "ridge", errors: errors(["ridge", 7.4], ["last-value", 10], ["lstm", 13.8]) },
    },
    {
      name: "hardly better is not enough",
      change: { scores: measured(80, 78), incumbent: "lstm" },
      expected: { kind: "keep", model: "lstm", errors: errors(["lstm", 8], ["ridge", 7.8], ["last-value", 10]) },
    },
    {
      name: "better by just 3 % is not enough",
      change: { scores: measured(100, 97), incumbent: "lstm" },
      expected: { kind: "keep", model: "lstm" },
    },
    {
      name: "better by more than 3 % is",
      change: { scores: measured(100, 96.9), incumbent: "lstm" },
      expected: { kind: "switch", model: "ridge" },
    },
    {
      name: "hardly better than the starter is not enough either",
      change: { scores: measured(80, 78) },
      expected: { kind: "switch", model: "lstm" },
    },
    {
      name: "the incumbent has no forecast",
      change: { scores: measured(50, 60), incumbent: "lstm", available: ["ridge", "last-value"] },
      expected: { kind: "switch", model: "ridge", errors: errors(["ridge", 6], ["last-value", 10]) },
    },
    {
      name: "a starter without a forecast does not hold the others up",
      change: { scores: [score("ridge", 60, 31)], available: ["ridge"] },
      expected: { kind: "switch", model: "ridge", forecasts: 31 },
    },
    {
      name: "no known model is available",
      change: { scores: measured(1, 1), available: [] },
      expected: { kind: "start", model: "lstm", forecasts: 30 },
    },
    {
      name: "one that joined in calmer times is judged by the yardstick of its own times",
      change: {
        scores: [score("lstm", 90), { ...score("ridge", 20), lastValueError: 15 }, score("last-value", 100)],
        incumbent: "lstm",
      },
      expected: { kind: "keep", model: "lstm" },
    },
    {
      name: "without traffic no model is better",
      change: { scores: silent(measured(0, 0, 0)), incumbent: "ridge" },
      expected: { kind: "keep", model: "ridge", errors: errors(["ridge", null], ["lstm", null], ["last-value", null]) },
    },
    {
      name: "errors without traffic lose",
      change: { scores: silent([score("lstm", 5), score("last-value", 0)]), incumbent: "lstm" },
      expected: { kind: "switch", model: "last-value" },
    },
    {
      name: "small errors without traffic lose too",
      change: { scores: silent([score("lstm", 0.5), score("last-value", 0)]), incumbent: "lstm" },
      expected: { kind: "switch", model: "last-value" },
    },
    {
      name: "a model known only without traffic counts as good as the last value: it beats a worse one",
      change: { scores: [...silent([score("lstm", 0)]), score("ridge", 150)], incumbent: "ridge" },
      expected: { kind: "switch", model: "lstm" },
    },
    {
      name: "... and loses to a better one",
      change: { scores: [...silent([score("lstm", 0)]), score("ridge", 50)], incumbent: "lstm" },
      expected: { kind: "switch", model: "ridge" },
    },
    {
      name: "sparse traffic counts",
      change: {
        scores: [
          { ...score("lstm", 0.3), lastValueError: 0.5, actual: 0.5 },
          { ...score("ridge", 0.1), lastValueError: 0.5, actual: 0.5 },
        ],
        incumbent: "lstm",
      },
      expected: { kind: "switch", model: "ridge", errors: errors(["ridge", 20], ["lstm", 60]) },
    },
    {
      name: "an error that is not a number is not compared",
      change: { scores: measured(Number.NaN, 90), incumbent: "ridge", starter: "ridge" },
      expected: { kind: "keep", model: "ridge", errors: errors(["ridge", 9], ["last-value", 10]) },
    },
    {
      name: "an error that is not a number never wins",
      change: { scores: measured(Number.NaN, 90), incumbent: "ridge", available: ["ridge", "last-value"] },
      expected: { kind: "keep", model: "ridge" },
    },
    {
      name: "at most three others are named",
      change: {
        scores: [1, 2, 3, 4, 5].map((error) => score(`m${error}`, error)),
        available: ["m5", "m4", "m3", "m2", "m1"],
        incumbent: "m1",
        starter: "m1",
      },
      expected: { kind: "keep", errors: errors(["m1", 0.1], ["m2", 0.2], ["m3", 0.3], ["m4", 0.4]) },
    },
  ])("$name", ({ change, expected }) => {
    expect(decideChampion({ ...base, ...change })).toMatchObject(expected);
  });
});

test.each<{ decision: ChampionDecision; says: string }>([
  {
    decision: { kind: "start", model: "lstm", forecasts: 29, errors: [] },
    says: "29 of 30 forecasts compared with the actual traffic",
  },
  {
    decision: { kind: "switch", model: "ridge", forecasts: 412, errors: errors(["ridge", 7.41], ["lstm", 13.8]) },
    says: "WAPE over 412 forecasts, newer ones weighing more: ridge 7.4 %; next best: lstm 13.8 %",
  },
  {
    decision: { kind: "keep", model: "ridge", forecasts: 30, errors: errors(["ridge", null]) },
    says: "WAPE over 30 forecasts, newer ones weighing more: ridge without traffic",
  },
])("explains: $says", ({ decision, says }) => {
  expect(explainChampion(decision)).toBe(says);
});

test("shares as text", () => {
  expect(sharesToText(Object.entries({ a: 0.731, b: 0.269 }))).toBe("a 73 %, b 27 %");
});
