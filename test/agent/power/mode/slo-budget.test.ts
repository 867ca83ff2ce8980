import { describe, expect, test } from "bun:test";
import { createModeWatch } from "#agent/power/mode/mode-watch.ts";
import { createSloBudget } from "#agent/power/mode/slo-budget.ts";

const weekMinutes = 7 * 1440;

describe("the budget of missed minutes", () => {
  test("a missed minute halves what may be exceeded; the time of the budget for one gives it back", () => {
    const budget = createSloBudget(0.9, 1 / 1000);
    expect(budget.quantile()).toBeCloseTo(0.9, 12);
    budget.observe(true);
    expect(1 - budget.quantile()).toBeCloseTo(0.05 * 2 ** (1 / 1000), 9);
    for (let minute = 1; minute < 1000; minute += 1) budget.observe(false);
    expect(budget.quantile()).toBeCloseTo(0.9, 9);
  });

  test.each([
    ["never missed: down to the median", false, 0.5],
    ["always missed: nearly all must be carried", true, 0.995],
  ])("%s", (_name, missed, quantile) => {
    const budget = createSloBudget(0.9, 0.0005);
    for (let minute = 0; minute < 20_000; minute += 1) budget.observe(missed);
    expect(budget.quantile()).toBeCloseTo(quantile, 12);
  });

  test.each([0, 0.5, 0.9, 0.999, 1])("a start of %p is within the bounds", (start) => {
    const quantile = createSloBudget(start, 0.0005).quantile();
    expect(quantile).toBeGreaterThanOrEqual(0.5 - 1e-12);
    expect(quantile).toBeLessThanOrEqual(0.995 + 1e-12);
  });

  test.each([
    ["as foretold", 1],
    ["ten times as often as foretold", 10],
    ["a hundred times as often as foretold", 100],
  ])("in a week no more is missed than the bound says, where peaks exceed their quantile %s", (_name, wrongness) => {
    let state = 11;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state / 2_147_483_648;
    };
    const budget = createSloBudget(0.9, 0.0005);
    let missed = 0;
    for (let minute = 0; minute < weekMinutes; minute += 1) {
      // A peak too high is a missed minute once in a thousand; at the highest quantile none is.
      const chance = budget.quantile() >= 0.994 ? 0 : ((1 - budget.quantile()) * wrongness) / 1000;
      const isMissed = random() < chance;
      if (isMissed) missed += 1;
      budget.observe(isMissed);
    }
    expect(missed).toBeLessThanOrEqual(Math.ceil(weekMinutes * 0.0005 + Math.log2(0.1 / 0.005)) + 1);
    if (wrongness >= 10) expect(missed).toBeGreaterThan(2);
  });
});

describe("whether the modes carried a minute", () => {
  const minute = (qps: number, p95Ms: number | null = null, targetP95Ms: number | null = 50) => ({
    qps,
    p95Ms,
    targetP95Ms,
  });
  const free = (capacityQps: number | null) => ({ capacityQps, chosen: true });

  test.each([
    ["well within", [free(100)], minute(60, 20), false],
    ["full", [free(100)], minute(97.5, 20), true],
    ["late, and used beyond the target utilisation", [free(100)], minute(85, 51), true],
    ["late at little use: not the mode's fault", [free(100)], minute(50, 900), false],
    ["late without a target to be late against", [free(100)], minute(85, 900, null), false],
    ["without a request", [free(100)], minute(0), false],
    ["the smallest mode of the minute counts", [free(100), free(60), free(100)], minute(65, 20), true],
    ["a capacity that is not known", [free(null)], minute(65, 20), null],
    ["held by somebody else for part of it", [free(100), { capacityQps: 50, chosen: false }], minute(65, 20), null],
    ["nothing was noted", [], minute(65, 20), null],
  ] as const)("%s", (_name, held, served, verdict) => {
    const watch = createModeWatch(0.8);
    for (const mode of held) watch.note(mode);
    expect(watch.close(served)).toBe(verdict);
  });

  test("the next minute begins in the mode that is held", () => {
    const watch = createModeWatch(0.8);
    watch.note(free(50));
    watch.note(free(100));
    expect(watch.close(minute(60))).toBe(true);
    expect(watch.close(minute(60))).toBe(false);
    watch.note(free(200));
    expect(watch.close(minute(99))).toBe(true);
    expect(watch.close(minute(99))).toBe(false);
  });
});
