import { expect, test } from "bun:test";
import { decidePromotion, type PromotionDecision, PromotionSituation } from "#forecast/night/decide-promotion.ts";
import { explainPromotion } from "#forecast/night/explain-night-training.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { wrongFields } from "../../fakes/wrong-fields.ts";

const error = (wapePercent: number | null, forecasts = 100) => ({ wapePercent, forecasts });
const against = (candidate: number, incumbent: number | null, forecasts = 100) => ({
  candidate: error(candidate, forecasts),
  incumbent: error(incumbent),
  simpleWapePercent: 25,
});
const compared = (wapePercent: number, incumbentWapePercent: number | null, forecasts = 100) => ({
  wapePercent,
  incumbentWapePercent,
  forecasts,
});

test.each<{ name: string; situation: PromotionSituation; expected: PromotionDecision }>([
  {
    name: "a better one",
    situation: against(20, 30),
    expected: { kind: "promote", rule: "better", ...compared(20, 30) },
  },
  {
    name: "a worse one",
    situation: against(31, 30),
    expected: { kind: "keep", rule: "not-better", ...compared(31, 30) },
  },
  { name: "an equal", situation: against(30, 30), expected: { kind: "keep", rule: "not-better", ...compared(30, 30) } },
  {
    name: "hardly better",
    situation: against(29.8, 30),
    expected: { kind: "keep", rule: "not-better", ...compared(29.8, 30) },
  },
  {
    name: "better by 1 % exactly",
    situation: against(99, 100),
    expected: { kind: "keep", rule: "not-better", ...compared(99, 100) },
  },
  {
    name: "better by a little more than 1 %",
    situation: against(98.9, 100),
    expected: { kind: "promote", rule: "better", ...compared(98.9, 100) },
  },
  {
    name: "an incumbent whose error can't be measured",
    situation: against(20, null),
    expected: { kind: "promote", rule: "better", ...compared(20, null) },
  },
  {
    name: "an incumbent whose error is not a number",
    situation: against(20, Number.POSITIVE_INFINITY),
    expected: { kind: "promote", rule: "better", ...compared(20, Number.POSITIVE_INFINITY) },
  },
  {
    name: "too few to judge",
    situation: against(1, 30, 29),
    expected: { kind: "keep", rule: "too-few-forecasts", forecasts: 29 },
  },
  {
    name: "just enough to judge",
    situation: against(1, 30, 30),
    expected: { kind: "promote", rule: "better", ...compared(1, 30, 30) },
  },
  {
    name: "no traffic",
    situation: { candidate: error(null), incumbent: error(null), simpleWapePercent: null },
    expected: { kind: "keep", rule: "no-error-measured" },
  },
  {
    name: "not a number",
    situation: { candidate: error(Number.NaN), incumbent: error(30), simpleWapePercent: 9 },
    expected: { kind: "keep", rule: "no-error-measured" },
  },
  {
    name: "the one in service is damaged, the new one good",
    situation: { candidate: error(20), incumbent: null, simpleWapePercent: 25 },
    expected: { kind: "promote", rule: "incumbent-unusable", wapePercent: 20, simpleWapePercent: 25 },
  },
  {
    name: "the one in service is damaged, the new one bad",
    situation: { candidate: error(26), incumbent: null, simpleWapePercent: 25 },
    expected: { kind: "keep", rule: "incumbent-unusable", wapePercent: 26, simpleWapePercent: 25 },
  },
  {
    name: "the one in service is damaged, the new one as good as the simple ones",
    situation: { candidate: error(25), incumbent: null, simpleWapePercent: 25 },
    expected: { kind: "keep", rule: "incumbent-unusable", wapePercent: 25, simpleWapePercent: 25 },
  },
  {
    name: "the one in service is damaged, nothing simple to compare with",
    situation: { candidate: error(26), incumbent: null, simpleWapePercent: null },
    expected: { kind: "promote", rule: "incumbent-unusable", wapePercent: 26, simpleWapePercent: null },
  },
  {
    name: "better in each of five stretches",
    situation: { ...against(20, 30), stretches: new Array(5).fill({ candidate: 2, incumbent: 3 }) },
    expected: { kind: "promote", rule: "better", ...compared(20, 30) },
  },
  {
    name: "better in each of four",
    situation: { ...against(20, 30), stretches: new Array(4).fill({ candidate: 2, incumbent: 3 }) },
    expected: {
      kind: "keep",
      rule: "may-be-luck",
      ...{ wapePercent: 20, incumbentWapePercent: 30, stretches: 4, chance: 1 },
    },
  },
  {
    name: "better in a single one of six",
    situation: {
      ...against(20, 30),
      stretches: [{ candidate: 2, incumbent: 30 }, ...new Array(5).fill({ candidate: 3, incumbent: 2 })],
    },
    expected: {
      kind: "keep",
      rule: "may-be-luck",
      // It is in none of the six draws with probability (5/6)^6 = 0.335.
      ...{ wapePercent: 20, incumbentWapePercent: 30, stretches: 6, chance: expect.closeTo(0.335, 1) },
    },
  },
  {
    name: "an incumbent without a measurable error has nothing to compare",
    situation: { ...against(20, null), stretches: [] },
    expected: { kind: "promote", rule: "better", ...compared(20, null) },
  },
])("$name", ({ situation, expected }) => {
  expect(decidePromotion(situation)).toEqual(expected);
});

test.each<{ decision: PromotionDecision; says: string }>([
  {
    decision: { kind: "promote", rule: "better", ...compared(20, 30) },
    says: "WAPE 20.00 % against 30.00 % of the model in service on 100 held-out forecasts",
  },
  {
    decision: { kind: "keep", rule: "not-better", ...compared(29.8, 30) },
    says: "WAPE 29.80 % against 30.00 % of the model in service on 100 held-out forecasts: not better by the required 1 %",
  },
  {
    decision: {
      ...{ kind: "keep", rule: "may-be-luck", wapePercent: 29, incumbentWapePercent: 30, stretches: 3, chance: 0.31 },
    },
    says: "WAPE 29.00 % against 30.00 % of the model in service: over 3 held-out quarters of an hour, the difference is due to chance with a probability of 31 %",
  },
  {
    decision: { kind: "promote", rule: "better", ...compared(20, null) },
    says: "WAPE 20.00 % against - of the model in service on 100 held-out forecasts",
  },
  {
    decision: { kind: "keep", rule: "too-few-forecasts", forecasts: 29 },
    says: "only 29 of 30 forecasts to judge the new model by",
  },
  {
    decision: { kind: "keep", rule: "no-error-measured" },
    says: "the new model's error can't be measured: no traffic in the newest part of the record",
  },
  {
    decision: { kind: "promote", rule: "incumbent-unusable", wapePercent: 20, simpleWapePercent: 25 },
    says: "the model in service can't be loaded; the new one's WAPE is 20.00 %, the best simple forecast's 25.00 %",
  },
])("explains: $says", ({ decision, says }) => {
  expect(explainPromotion(decision)).toBe(says);
});

test("a file needs only the number of forecasts; nothing is below nothing", () => {
  expect(parseConfig(PromotionSituation, { candidate: { forecasts: 0 } }, "x")).toEqual({
    ...{ candidate: { forecasts: 0, wapePercent: null }, incumbent: null, simpleWapePercent: null },
  });
  const none = { forecasts: 0, wapePercent: 0 };
  expect(wrongFields(PromotionSituation, { candidate: none, incumbent: none, simpleWapePercent: 0 })).toEqual([]);
  const below = { forecasts: -1, wapePercent: -0.5, rest: 1 };
  expect(wrongFields(PromotionSituation, { candidate: below, simpleWapePercent: -0.5, rest: 1 }).toSorted()).toEqual([
    "candidate.forecasts",
    "candidate.rest",
    "candidate.wapePercent",
    "rest",
    "simpleWapePercent",
  ]);
});
