import { describe, expect, test } from "bun:test";
import { decidePrediction } from "#controller/scaling/policy/prediction/decide-prediction.ts";
import { explainPrediction } from "#controller/scaling/policy/prediction/explain-prediction.ts";
import { PredictionInput } from "#controller/scaling/policy/prediction/prediction-rules.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const decide = (given: object) => decidePrediction(parseConfig(PredictionInput, given, "test"));
const explain = (given: object) => {
  const input = parseConfig(PredictionInput, given, "test");
  return explainPrediction(decidePrediction(input), input.policy, input.forecast);
};
/** A forecast that is `peak` in one step and little in the others. */
const forecast = (peak: number | null, { step = 10, level = 0.9, ...more }: Record<string, number> = {}) => ({
  ...(more["ageS"] === undefined ? {} : { ageS: more["ageS"] }),
  quantiles: [
    {
      level,
      qps: Array.from({ length: 15 }, (_, index) => (index === step ? peak : 10)),
      ...(more["coverage"] === undefined ? {} : { coverage: more["coverage"] }),
    },
  ],
});

describe("how many", () => {
  test.each([
    { $: "ceil(peak / 280)", now: 4, forecast: forecast(1681), to: 7, need: 7 },
    { $: "exactly full", now: 4, forecast: forecast(1680), to: 6, need: 6 },
    { $: "at most double", now: 3, forecast: forecast(5000), to: 6, need: 18 },
    { $: "one becomes at most two", now: 1, forecast: forecast(5000), to: 2, need: 18 },
    { $: "none becomes one, and the minimum", now: 0, forecast: forecast(5000), to: 2, need: 18 },
    { $: "at most the maximum", now: 15, forecast: forecast(9000), to: 20, need: 33 },
    { $: "at least the minimum", now: 4, forecast: forecast(0), to: 2, need: 1 },
    { $: "a change of 20 % is small", now: 5, forecast: forecast(1500), to: 5, need: 6 },
    { $: "down as well", now: 5, forecast: forecast(1100), to: 5, need: 4 },
    { $: "more than 20 % down", now: 5, forecast: forecast(800), to: 3, need: 3 },
    { $: "never below what the present needs", now: 6, reactive: 5, forecast: forecast(100), to: 5, need: 1 },
    { $: "the present needs more", now: 4, reactive: 9, forecast: forecast(1681), to: 9, need: 7 },
    { $: "a peak sooner than 2 min", now: 4, forecast: forecast(5000, { step: 1 }), to: 2, need: 1 },
    { $: "2 min ahead counts", now: 4, forecast: forecast(1681, { step: 2 }), to: 7, need: 7 },
    { $: "unless the forecast is older", now: 4, forecast: forecast(1681, { step: 2, ageS: 10 }), to: 2, need: 1 },
  ])("$$: $now -> $to", ({ now, reactive = 0, forecast, to, need }) => {
    expect(decide({ currentReplicas: now, reactiveNeed: reactive, forecast })).toMatchObject({ replicas: to, need });
  });
});

test.each<[string, object, number, string[]]>([
  ["nothing", { currentReplicas: 4, forecast: forecast(1681) }, 7, []],
  ["the tolerance", { currentReplicas: 5, forecast: forecast(1500) }, 5, ["tolerance"]],
  [
    "the factor, then the maximum",
    { currentReplicas: 15, forecast: forecast(9000) },
    20,
    ["scale-up-factor", "maximum"],
  ],
  ["the minimum", { currentReplicas: 4, forecast: forecast(0) }, 2, ["minimum"]],
  ["the present need", { currentReplicas: 6, reactiveNeed: 5, forecast: forecast(100) }, 5, ["reactive-need"]],
  ["the maximum, without a forecast", { currentReplicas: 25 }, 20, ["maximum"]],
  [
    "the factor, rounded down",
    { policy: { maxScaleUpFactor: 1.5 }, currentReplicas: 5, forecast: forecast(5000) },
    7,
    ["scale-up-factor"],
  ],
  [
    "what can be a need at all",
    { policy: { maxReplicas: 1_000_000, maxScaleUpFactor: 9e5 }, currentReplicas: 9, forecast: forecast(1e12) },
    1_000_000,
    [],
  ],
])("limited by %s", (_name, given, replicas, limitedBy) => {
  const decision = decide(given);
  expect([decision.replicas, decision.limitedBy as string[]]).toEqual([replicas, limitedBy]);
});

test("the last step of the horizon counts, and a forecast as old as it may be", () => {
  const policy = { horizonS: 600 };
  expect(decide({ policy, currentReplicas: 4, forecast: forecast(1681) }).need).toBe(7);
  expect(decide({ policy: { horizonS: 599 }, currentReplicas: 4, forecast: forecast(1681) }).need).toBe(1);
  expect(decide({ currentReplicas: 4, forecast: forecast(1681, { ageS: 300 }) })).toMatchObject({
    rule: "peak",
    need: 7,
  });
});

test("an infinite rate is none", () => {
  const input = parseConfig(PredictionInput, { currentReplicas: 4, forecast: forecast(1) }, "test");
  const qps = new Array(15).fill(Number.POSITIVE_INFINITY);
  const infinite = { ...input, forecast: { ageS: 0, stepS: 60, quantiles: [{ level: 0.9, qps }] } };
  expect(decidePrediction(infinite)).toMatchObject({ rule: "no-rate", noRateInS: 120 });
});

describe("when no forecast counts, there are no fewer than now", () => {
  test.each([
    { $: "none", forecast: null, rule: "no-forecast", says: "there is no forecast" },
    {
      $: "not sure enough",
      ...{ forecast: forecast(5000, { level: 0.85 }), rule: "uncertain" },
      says: "no quantile of the forecast is above the confidence of 0.85: 0.85",
    },
    {
      $: "sure by name only",
      ...{ forecast: forecast(5000, { level: 0.95, coverage: 0.7 }), rule: "uncertain" },
      says: "no quantile of the forecast is above the confidence of 0.85: 0.95 (held 0.7)",
    },
    {
      $: "old",
      ...{ forecast: forecast(5000, { ageS: 301 }), rule: "old-forecast" },
      says: "the forecast is 301 s old, more than 300 s",
    },
    { $: "a gap", forecast: forecast(null), rule: "no-rate", says: "the forecast has no rate for 600 s ahead" },
    { $: "negative", forecast: forecast(-1), rule: "no-rate", says: "the forecast has no rate for 600 s ahead" },
    {
      $: "too short",
      ...{ forecast: { quantiles: [{ level: 0.9, qps: [5000] }] }, rule: "no-step" },
      says: "the forecast has no step from 120 to 900 s ahead",
    },
  ])("$$", ({ forecast, rule, says }) => {
    const decision = decide({ currentReplicas: 5, reactiveNeed: 3, forecast });
    expect(decision).toMatchObject({ rule, replicas: 5, need: null, peak: null });
    expect(explain({ currentReplicas: 5, reactiveNeed: 3, forecast })).toBe(`${says}: no fewer than now, 5`);
    expect(decide({ currentReplicas: 5, reactiveNeed: 8, forecast }).replicas).toBe(8);
  });
});

test.each([
  { now: 1, to: 2 },
  { now: 0, to: 1 },
  { now: 3, to: 4 },
])("however small the factor, one more is possible: $now -> $to", ({ now, to }) => {
  const policy = { minReplicas: 0, maxScaleUpFactor: 1.2 };
  const decision = decide({ policy, currentReplicas: now, reactiveNeed: 0, forecast: forecast(5000) });
  expect(decision).toMatchObject({ replicas: to, limitedBy: ["scale-up-factor"] });
});

test("of several quantiles the lowest that is sure enough", () => {
  const quantiles = [0.99, 0.5, 0.9, 0.95].map((level) => ({ level, qps: new Array(15).fill(level * 1000) }));
  expect(decide({ currentReplicas: 3, forecast: { quantiles } })).toMatchObject({
    peak: { qps: 900, level: 0.9, inS: 120 },
    need: 4,
  });
});

test("the reason has the peak, its need and what limited it", () => {
  expect(explain({ currentReplicas: 4, forecast: forecast(1681) })).toBe(
    "with 90 % at most 1681 qps in 600 s, which needs 7 replicas",
  );
  expect(explain({ currentReplicas: 1, forecast: forecast(5000, { level: 0.925 }) })).toBe(
    "with 92.5 % at most 5000 qps in 600 s, which needs 18 replicas; 2 by scale-up-factor",
  );
});
