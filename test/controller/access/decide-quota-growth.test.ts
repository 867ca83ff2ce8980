import { expect, test } from "bun:test";
import { decideQuotaGrowth, type QuotaGrowth, type QuotaGrowthInput } from "#controller/access/decide-quota-growth.ts";

const input = (given: Partial<QuotaGrowthInput> & Partial<QuotaGrowthInput["agent"]>): QuotaGrowthInput => {
  const { part = 0.1, used = 0, perMinute = 0.001, ...rest } = given;
  return { agent: { part, used, perMinute }, allPerMinute: perMinute, free: 0.9, minutesLeft: 1_000, ...rest };
};

test.each<[string, Parameters<typeof input>[0], QuotaGrowth]>([
  ["no demand", { perMinute: 0, allPerMinute: 0 }, { rule: "enough", part: 0.1 }],
  ["an hour's worth is left", { used: 0.04 }, { rule: "enough", part: 0.1 }],
  ["less: two hours' worth", { used: 0.05 }, { rule: "granted", part: 0.17 }],
  ["the period ends before: no more than is needed", { used: 0.09, minutesLeft: 30 }, { rule: "granted", part: 0.12 }],
  ["half of what is free at most", { used: 0.1, perMinute: 1 }, { rule: "granted", part: 0.55 }],
  [
    "and of that its share of the demand",
    { used: 0.1, perMinute: 1, allPerMinute: 2 },
    { rule: "granted", part: 0.325 },
  ],
  ["a small rest is given away whole", { part: 0.9, used: 0.9, free: 0.001 }, { rule: "granted", part: 0.901 }],
  ["nothing is free", { used: 0.1, free: 0 }, { rule: "nothing-free", part: 0.1 }],
])("%s", (_, given, expected) => {
  const { rule, part } = decideQuotaGrowth(input(given));
  expect(rule).toBe(expected.rule);
  expect(part).toBeCloseTo(expected.part, 5);
});
