import { describe, expect, test } from "bun:test";
import { readAnomalies } from "#controller/alerts/read-costs.ts";
import { decideCostAnomaly } from "#controller/cost/anomaly/decide-cost-anomaly.ts";
import { findAnomalies } from "#controller/cost/anomaly/find-anomalies.ts";
import { medianOf, robustLine, robustSpread } from "#controller/cost/anomaly/robust.ts";
import type { CostCell, CostHistory, CostHour } from "#controller/cost/history/cost-history.ts";
import { moneyOf } from "#controller/cost/money/money.ts";
import { dayMs } from "#platform/time.ts";

test.each([
  [[], 0],
  [[3], 3],
  [[4, 1, 3], 3],
  [[4, 1, 3, 2], 2.5],
])("median of %j is %d", (values, expected) => {
  expect(medianOf(values)).toBe(expected);
});

test("a spread and a line that outliers don't move", () => {
  expect(robustSpread([9, 10, 11, 1000], 10)).toBeCloseTo(1.4826, 9);
  const line = robustLine([1, 2, 3, 4, 5], [3, 5, 7, 9, 500]);
  expect(line(10)).toBeCloseTo(21, 9);
  // Cost by request alone: no negative rest.
  expect(robustLine([10, 20, 31], [1, 2, 3.2])(100)).toBeCloseTo(10, 0);
  expect(robustLine([5, 5], [1, 3])(7)).toBe(2);
});

/** Days that cost a cent a request and 10 $, with `last` at the end. */
const week = (last: { costUsd: number; requests: number }, days = 7) => [
  ...Array.from({ length: days }, (_, day) => {
    const requests = 1000 + 100 * (day % 3);
    return { costUsd: 10 + requests / 100, requests };
  }),
  last,
];
const judge = (last: { costUsd: number; requests: number }, given: object = {}) =>
  decideCostAnomaly({ days: week(last), threshold: 3.5, minUsd: 0.1, ...given });

test.each<[string, { costUsd: number; requests: number }, object, string]>([
  ["as before", { costUsd: 20, requests: 1000 }, {}, "normal"],
  ["cheaper", { costUsd: 5, requests: 1000 }, {}, "normal"],
  ["a quarter dearer with the same requests", { costUsd: 25, requests: 1000 }, {}, "cost-of-requests"],
  ["far more, as its requests were", { costUsd: 60, requests: 5000 }, {}, "level"],
  ["more and dearer", { costUsd: 100, requests: 5000 }, {}, "cost-of-requests"],
  ["a difference below the amount that counts", { costUsd: 25, requests: 1000 }, { minUsd: 5.1 }, "normal"],
  ["a threshold that it does not reach", { costUsd: 25, requests: 1000 }, { threshold: 100 }, "normal"],
  [
    "six days before it",
    { costUsd: 25, requests: 1000 },
    { days: week({ costUsd: 25, requests: 1000 }, 6) },
    "too-few-days",
  ],
  ["no days at all", { costUsd: 0, requests: 0 }, { days: [] }, "too-few-days"],
])("%s", (_name, last, given, rule) => {
  const found = judge(last, given);
  expect(found.rule).toBe(rule as typeof found.rule);
  expect(found.isAnomaly).toBe(rule === "level" || rule === "cost-of-requests");
});

test("a first cost after a week of none is an anomaly of any score", () => {
  const days = [...Array.from({ length: 7 }, () => ({ costUsd: 0, requests: 0 })), { costUsd: 1, requests: 10 }];
  expect(decideCostAnomaly({ days, threshold: 3.5, minUsd: 0.1 })).toMatchObject({ isAnomaly: true, expectedUsd: 0 });
});

describe("which part of the fleet moved", () => {
  const start = Date.UTC(2026, 10, 1);
  const cell = (usd: number, given: Partial<CostCell>): CostCell => ({
    ...{ region: "eu", agentId: "thor-1", tenant: "shop", model: "mini", device: moneyOf(usd), offers: 0n },
    ...{ requests: 100, tokens: 1000, energyKwh: 0, computeMs: 0, ...given },
  });
  /** Ten days of two tenants; `extra` $ of shop on the last. */
  const historyOf = (extra: number): CostHistory => {
    const hours = Array.from(
      { length: 10 },
      (_, day): CostHour => ({
        startMs: start + day * dayMs,
        cells: [
          cell(10 + (day % 2) * 0.1 + (day === 9 ? extra : 0), {}),
          cell(5 + (day % 3) * 0.05, { tenant: "ops", agentId: "thor-2", region: "us", model: "e5" }),
          cell(2, { tenant: null, model: null }),
        ],
        ...{ observedMinutes: 60, missingEnergyMinutes: 0 },
      }),
    );
    return { hours: async (startMs, endMs) => hours.filter((hour) => hour.startMs >= startMs && hour.startMs < endMs) };
  };
  const terms = { threshold: 3.5, minUsd: 0.1, timeZone: "UTC" };
  const nowMs = start + 10 * dayMs + 1;
  const last = { startMs: start + 9 * dayMs, endMs: start + 11 * dayMs, nowMs };

  test("is named with its share of the difference", async () => {
    const [fleet, ...parts] = await findAnomalies(historyOf(5), last, terms);
    expect(fleet).toMatchObject({ isAnomaly: true, rule: "cost-of-requests", scope: { kind: "fleet", name: null } });
    expect(fleet?.movers.map(({ dimension, name }) => `${dimension} ${name}`).sort()).toEqual([
      ...["agent thor-1", "model mini", "region eu", "tenant shop"],
    ]);
    expect(fleet?.reason).toContain(
      "a request costs more: requests +0 % against the week before; of the difference: region eu",
    );
    expect(parts.filter(({ isAnomaly }) => isAnomaly).map(({ scope }) => scope.name)).toEqual([
      "eu",
      "shop",
      "mini",
      "thor-1",
    ]);
  });

  test("a usual day is none, today is not judged, and days without records don't count", async () => {
    expect((await findAnomalies(historyOf(0), last, terms)).filter(({ isAnomaly }) => isAnomaly)).toEqual([]);
    const today = { startMs: start + 9 * dayMs, endMs: nowMs, nowMs: start + 9 * dayMs + 1 };
    expect(await findAnomalies(historyOf(5), today, terms)).toEqual([]);
  });

  test("a day of which hours are missing is no measure: a fleet that began in the evening has no dear weekend", async () => {
    // Devices cost 1 $ an hour whatever is asked of them; on weekends a quarter less is.
    const hours = Array.from({ length: 9 * 24 + 4 }, (_, index): CostHour => {
      const startMs = start - 4 * 3_600_000 + index * 3_600_000;
      const isWeekend = new Date(startMs).getUTCDay() % 6 === 0;
      return {
        ...{ startMs, observedMinutes: 60, missingEnergyMinutes: 0 },
        cells: [
          cell(0.2, { requests: isWeekend ? 75 : 100 - (index % 5) }),
          cell(0.8, { tenant: null, model: null, requests: 0 }),
        ],
      };
    });
    const history: CostHistory = {
      hours: async (startMs, endMs) => hours.filter((hour) => hour.startMs >= startMs && hour.startMs < endMs),
    };
    const window = { startMs: start, endMs: start + 9 * dayMs, nowMs: start + 9 * dayMs + 1 };
    const judged = await findAnomalies(history, window, terms);
    expect(judged.filter(({ rule }) => rule !== "too-few-days").length).toBeGreaterThan(0);
    expect(judged.filter(({ isAnomaly }) => isAnomaly).map(({ reason }) => reason)).toEqual([]);
  });

  test("alerts name the fleet, and of its parts only what the fleet's does not name", async () => {
    const values = await readAnomalies(historyOf(5), terms, nowMs);
    const firing = values.filter(({ value }) => (value ?? 0) > 3.5);
    expect(firing.map(({ labels }) => labels)).toEqual([{}]);
    expect(firing[0]?.detail).toContain("tenant shop");
  });
});
